"""Persons and firms. Phones and identity numbers live apart, encrypted, with a keyed hash for search."""
