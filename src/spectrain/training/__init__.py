"""The built-in recipe: train a GPT on a text under watch.

Settings are read without what trains, which imports torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from spectrain.training.config import TrainConfig

if TYPE_CHECKING:
    from spectrain.training.loop import resume, train
    from spectrain.training.summary import summarize
    from spectrain.training.trainer import DivergenceError

__all__ = ["DivergenceError", "TrainConfig", "resume", "summarize", "train"]

_HOMES = {"DivergenceError": "trainer", "resume": "loop", "summarize": "summary", "train": "loop"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
