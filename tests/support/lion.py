"""Lion, transcribed from Chen et al. 2023, algorithm 2."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim import Optimizer


class Lion(Optimizer):
    """c = β₁m + (1−β₁)g; W ← W − η(sign c + λW); m ← β₂m + (1−β₂)g."""

    def __init__(
        self, params: Any, lr: float, betas: tuple[float, float] = (0.9, 0.99), **options: float
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": 0.0, **options})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            first, second = group["betas"]
            for p in group["params"]:
                state = self.state[p]
                m = state.setdefault("exp_avg", torch.zeros_like(p))
                mixed = first * m + (1 - first) * p.grad
                p.mul_(1 - group["lr"] * group["weight_decay"]).sub_(group["lr"] * mixed.sign())
                m.mul_(second).add_(p.grad, alpha=1 - second)
