"""Payments as events of a channel."""
