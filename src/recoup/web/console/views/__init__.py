"""The pages, one module per desk."""
