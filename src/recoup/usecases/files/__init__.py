"""Files as clerks have them: previewed, loaded by the one door, and taken back while nothing stands on them."""
