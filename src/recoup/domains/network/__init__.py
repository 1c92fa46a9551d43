"""Places: units of the company down to the transformer district, and premises."""
