"""Touches that really happened, actions waiting to be carried out, and the projections that decisions read."""
