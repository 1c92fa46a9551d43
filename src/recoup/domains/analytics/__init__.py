"""Figures a company is judged by: sums prepared once a day, cut-offs signed and unchangeable, targets."""
