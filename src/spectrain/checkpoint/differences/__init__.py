"""Differences: what moved between checkpoints, in how many directions, and how changes interact."""

from spectrain.checkpoint.differences.compare import compare_checkpoints
from spectrain.checkpoint.differences.interference import compare_changes
from spectrain.checkpoint.differences.measures import CHANGES, INTERFERENCE

__all__ = ["CHANGES", "INTERFERENCE", "compare_changes", "compare_checkpoints"]
