"""What WeightWatcher 0.7 prints, for those who compare with it."""

from spectrain.checkpoint.weightwatcher.columns import COLUMNS, PREFIX, weightwatcher_records
from spectrain.checkpoint.weightwatcher.tail import Fingers, Law, Tail

__all__ = ["COLUMNS", "PREFIX", "Fingers", "Law", "Tail", "weightwatcher_records"]
