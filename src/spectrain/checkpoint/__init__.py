"""Checkpoints: their matrices streamed through the measures, without the model's code or data."""

from spectrain.checkpoint.differences import compare_changes, compare_checkpoints
from spectrain.checkpoint.inspect import Inspection, inspect_checkpoints
from spectrain.checkpoint.odd import odd_blocks
from spectrain.checkpoint.open import open_checkpoint
from spectrain.checkpoint.stored import Checkpoint, Product, Stored

__all__ = [
    "Checkpoint",
    "Inspection",
    "Product",
    "Stored",
    "compare_changes",
    "compare_checkpoints",
    "inspect_checkpoints",
    "odd_blocks",
    "open_checkpoint",
]
