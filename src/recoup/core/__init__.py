"""The pure core: every rule of the business as a function over columns.

Imports Polars and the standard library only. Nothing here reads a clock, a database, a network, a file or
a setting; the business date and every parameter arrive as arguments.
"""
