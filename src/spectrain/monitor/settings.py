"""What an optimizer is set to: its groups as records, and whether its weight decay is decoupled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch.optim import Optimizer

from spectrain.core import Record, Source

DECOUPLED = tuple(
    getattr(torch.optim, name)
    for name in ("AdamW", "Muon", "Adafactor")
    if hasattr(torch.optim, name)
)
"""Optimizers whose decay multiplies the weights by 1 − ηλ apart from the update."""


def group_records(optimizer: Optimizer, index: int, step: int) -> Iterator[Record]:
    """Learning rate, weight decay, momenta and betas of each parameter group, one record each."""
    for number, group in enumerate(optimizer.param_groups):
        for measure, value in _settings(group):
            yield Record(step, f"group {index}.{number}", Source.OPTIMIZER, measure, float(value))


def decay_factor(optimizer: Optimizer, group: Mapping[str, Any]) -> float | None:
    """The factor 1 − ηλ by which a step shrinks the weights; ``None`` where that is not known.

    Without weight decay it is 1. Coupled decay (Adam, SGD) acts through the gradient and leaves 1.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.AdamW([torch.zeros(1, requires_grad=True)], lr=0.1)
        >>> decay_factor(optimizer, {"lr": 0.1, "weight_decay": 0.5})
        0.95
    """
    decay = float(group.get("weight_decay") or 0.0)
    if decay == 0.0:
        return 1.0
    decoupled = group.get("decoupled_weight_decay")
    if isinstance(optimizer, DECOUPLED) or decoupled:
        return 1.0 - float(group["lr"]) * decay
    if type(optimizer).__module__.startswith("torch.optim") or decoupled is False:
        return 1.0
    return None


def _settings(group: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    names = {
        "lr": "learning_rate",
        "weight_decay": "weight_decay",
        "momentum": "momentum",
        "eps": "eps",
        "dampening": "dampening",
        "alpha": "alpha",
    }
    for key, measure in names.items():
        if isinstance(group.get(key), int | float | torch.Tensor):
            yield measure, group[key]
    for number, beta in enumerate(group.get("betas") or (), start=1):
        yield f"beta{number}", beta
