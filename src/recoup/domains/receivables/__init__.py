"""Open items, their allocations and the holds that stop processes."""
