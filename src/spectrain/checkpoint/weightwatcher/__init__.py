"""What WeightWatcher 0.7 prints, for those who compare with it."""

from spectrain.checkpoint.weightwatcher.columns import COLUMNS, PREFIX, weightwatcher_records

__all__ = ["COLUMNS", "PREFIX", "weightwatcher_records"]
