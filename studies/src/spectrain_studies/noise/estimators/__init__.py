"""Whether the intervals hold the truth and the echo is exact."""
