"""Meters installed at service points, and readings as events."""
