"""The noise of one update."""
