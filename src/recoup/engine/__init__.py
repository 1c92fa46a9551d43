"""Runs flows over the book: cut, run, slices with leases and fences, the lake of Parquet, resume."""
