"""Use cases: one function is one transaction over several rooms."""
