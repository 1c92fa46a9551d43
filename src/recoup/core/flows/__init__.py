"""Compositions of the rule families: what happens to a book on one day."""
