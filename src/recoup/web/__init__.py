"""The faces seen in a browser."""
