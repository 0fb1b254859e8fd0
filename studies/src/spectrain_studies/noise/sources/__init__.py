"""One source of noise at a time."""
