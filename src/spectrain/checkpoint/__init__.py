"""Checkpoints: their matrices streamed through the measures, without the model's code or data.

Names are imported when they are first used: listing what a file holds needs no measure.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

HOMES = {
    "Checkpoint": "stored",
    "Inspection": "inspect",
    "Product": "stored",
    "Stored": "stored",
    "compare_changes": "differences",
    "compare_checkpoints": "differences",
    "inspect_checkpoints": "inspect",
    "odd_blocks": "odd",
    "open_checkpoint": "open",
}
"""The module that defines each public name."""


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
