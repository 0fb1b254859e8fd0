"""What WeightWatcher 0.7 prints, for those who compare with it."""

from spectrain.checkpoint.weightwatcher.columns import PREFIX, weightwatcher_records

__all__ = ["PREFIX", "weightwatcher_records"]
