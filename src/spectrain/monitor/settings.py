"""What an optimizer is set to: its groups as records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch.optim import Optimizer

from spectrain.core import Record, Source


def group_records(optimizer: Optimizer, index: int, step: int) -> Iterator[Record]:
    """Learning rate, weight decay, momenta and betas of each parameter group, one record each."""
    for number, group in enumerate(optimizer.param_groups):
        for measure, value in _settings(group):
            yield Record(step, f"group {index}.{number}", Source.OPTIMIZER, measure, float(value))


def _settings(group: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    names = {
        "lr": "learning_rate",
        "weight_decay": "weight_decay",
        "momentum": "momentum",
        "nesterov": "nesterov",
        "ns_steps": "newton_schulz_steps",
        "eps": "eps",
        "dampening": "dampening",
        "alpha": "alpha",
    }
    for key, measure in names.items():
        if isinstance(group.get(key), int | float | torch.Tensor):
            yield measure, group[key]
    for number, beta in enumerate(group.get("betas") or (), start=1):
        yield f"beta{number}", beta
