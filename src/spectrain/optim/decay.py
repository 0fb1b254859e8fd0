"""Whether an optimizer's weight decay is decoupled from its update."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.optim import Optimizer

DECOUPLED = tuple(
    getattr(torch.optim, name)
    for name in ("AdamW", "Muon", "Adafactor")
    if hasattr(torch.optim, name)
)
"""Optimizers whose decay multiplies the weights by 1 − ηλ apart from the update."""


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
