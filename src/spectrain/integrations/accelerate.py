"""Accelerate: ``watch`` for what ``accelerator.prepare`` returned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from torch import nn
from torch.optim import Optimizer

from spectrain.integrations.bare import bare_optimizer
from spectrain.monitor import Watch
from spectrain.monitor import watch as watch_model

__all__ = ["watch"]


def watch(
    accelerator: Accelerator,
    model: nn.Module,
    optimizer: Optimizer | Sequence[Optimizer],
    path: str | Path,
    **options: Any,
) -> Watch:
    """Watch a model that Accelerate has prepared, for use in a ``with`` statement.

    Args:
        accelerator: that prepared them.
        model: as prepared.
        optimizer: as prepared, or all of them.
        path: the run folder.
        options: of :func:`spectrain.watch`.
    """
    several = [optimizer] if isinstance(optimizer, Optimizer) else optimizer
    accumulates = accelerator.gradient_accumulation_steps > 1
    defaults = {
        "data_parallel": accelerator.num_processes > 1,
        "replicas": "microbatches" if accumulates else "tested",
    }
    options = defaults | options
    return watch_model(model, [bare_optimizer(one) for one in several], path, **options)
