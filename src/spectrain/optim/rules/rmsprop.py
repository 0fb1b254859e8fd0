"""RMSprop: the gradient over the root of an average of its squares, with or without momentum."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod, sqrt
from typing import Any

import torch
from torch import Tensor

from spectrain.optim.rules.registry import RULES
from spectrain.optim.rules.rule import Decay, Form, Response, Rule


@RULES.register(torch.optim.RMSprop)
class RMSprop(Rule):
    """b ← μb + g/(√v + ε), v the second moment, or the variance if ``centered``; coupled decay."""

    form = Form.DIAGONAL

    @property
    def decay(self) -> Decay:
        return Decay.COUPLED if self.number("weight_decay") else Decay.NONE

    def average(self, state: Mapping[str, Any], parameter: Tensor) -> Tensor | None:
        """Where ``centered`` keeps one: momentum is an average of gradients that are divided."""
        kept = state.get("grad_avg")
        if not isinstance(kept, Tensor) or not self.settings.get("centered"):
            return None
        correction = 1 - self.number("alpha", 0.99) ** float(state["step"])
        if correction <= 0:
            return None
        mean = kept / correction
        if self.decay is Decay.COUPLED:
            mean = mean - self.number("weight_decay") * parameter.detach()
        return -mean if self.settings.get("maximize") else mean

    def direction(self, state: Mapping[str, Any]) -> Tensor | None:
        buffer = state.get("momentum_buffer")
        return buffer if isinstance(buffer, Tensor) and self.number("momentum") else None

    def noise(self, shape: tuple[int, ...], variance: float | None = None) -> Response | None:
        """U² = N/(1−μ²)·(σ/(σ+ε))², c_k = μᵏ, up to a relative error of order 1 − α."""
        mu, coupled = self.number("momentum"), self.decay is Decay.COUPLED
        if not 0 <= mu < 1:
            return None
        sigma = None if variance is None else sqrt(variance)
        epsilon = self.number("eps", 1e-8)
        share = 1.0 if not sigma else sigma / (sigma + epsilon)
        decay: float | None = 1.0
        if coupled:
            decay = 1 / ((1 - mu) * (sigma + epsilon)) if sigma else None
        energy = prod(shape) * share**2 / (1 - mu**2)
        terms = ((1.0, mu),) if mu else ()
        return Response(energy, terms, decay, 1 - self.number("alpha", 0.99), coupled)
