"""The GPT of the studies: configuration, presets, model, which imports torch when it is asked for.

:func:`spectrain.training.gpt.initialize.initialize` sets its weights.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from spectrain.training.gpt.config import PRESETS, GPTConfig, preset

if TYPE_CHECKING:
    from spectrain.training.gpt.model import GPT

__all__ = ["GPT", "PRESETS", "GPTConfig", "preset"]


def __getattr__(name: str) -> Any:
    if name != "GPT":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.model").GPT
