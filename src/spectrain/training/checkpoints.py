"""Checkpoints: all that a training needs to go on exactly where it was."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn
from torch.optim import Optimizer

from spectrain.core import RunError

FILE = "checkpoint.pt"


def save_checkpoint(
    run: Path, *, step: int, model: nn.Module, optimizers: Sequence[Optimizer]
) -> None:
    """Replace the run's checkpoint atomically: whatever kills the process, one is whole.

    Raises:
        RunError: the file cannot be written; the previous one is kept.
    """
    state = {
        "step": step,
        "model": model.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in optimizers],
    }
    partial = run / f"{FILE}.partial"
    try:
        with partial.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, run / FILE)
    except OSError as error:
        raise RunError(
            f"the checkpoint {str(run / FILE)!r} cannot be written ({error.strerror})",
            remedy="make room, then resume the run",
        ) from None


def load_checkpoint(run: Path, *, model: nn.Module, optimizers: Sequence[Optimizer]) -> int:
    """Put the run's checkpoint into model and optimizers.

    Returns:
        The number of steps done; 0, and nothing is changed, if there is no checkpoint yet.

    Raises:
        RunError: the file is damaged or belongs to another model.
    """
    path = run / FILE
    if not path.exists():
        return 0
    try:
        state = torch.load(path, weights_only=True)
        model.load_state_dict(state["model"])
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
    except Exception as error:  # a damaged file raises anything
        raise RunError(
            f"the checkpoint {str(path)!r} does not load ({error})",
            remedy="delete it to start this run from its first step",
        ) from None
    step: int = state["step"]
    return step
