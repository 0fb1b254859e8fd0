"""SGD: a multiple of the gradient, or of a sum of gradients that momentum keeps."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import torch
from torch import Tensor

from spectrain.optim.rules.registry import RULES
from spectrain.optim.rules.rule import Decay, Form, Response, Rule
from spectrain.regime.muon import averaged_autocorrelation


@RULES.register(torch.optim.SGD)
class SGD(Rule):
    """b ← μb + (1−d)g with step ηb, or η(g + μb) with Nesterov; decay is coupled: g + λW for g.

    Momentum keeps no count of its steps, so its average is not corrected for its start, which
    ceases to matter after a few times 1/(1 − μ) steps.
    """

    form = Form.LINEAR

    @property
    def momentum(self) -> float:
        """μ."""
        return self.number("momentum")

    @property
    def gain(self) -> float:
        """What a constant gradient of 1 becomes: (1 − d)/(1 − μ), or 1 without momentum."""
        mu = self.momentum
        return (1 - self.number("dampening")) / (1 - mu) if 0 < mu < 1 else 1.0

    @property
    def decay(self) -> Decay:
        return Decay.COUPLED if self.number("weight_decay") else Decay.NONE

    def average(self, state: Mapping[str, Any], parameter: Tensor) -> Tensor | None:
        buffer = state.get("momentum_buffer")
        if not isinstance(buffer, Tensor) or not 0 < self.momentum < 1:
            return None
        sign = -1.0 if self.settings.get("maximize") else 1.0
        mean = buffer / self.gain
        decay = self.number("weight_decay")
        return sign * (mean - decay * parameter.detach() if decay else mean)

    def direction(self, state: Mapping[str, Any]) -> Tensor | None:
        buffer = state.get("momentum_buffer")
        if self.settings.get("nesterov") or not isinstance(buffer, Tensor):
            return None  # the gradient that Nesterov adds is in no state
        return buffer

    def noise(self, shape: tuple[int, ...], variance: float | None = None) -> Response | None:
        """U² = Nσ²(1−d)²/(1−μ²); with Nesterov Nσ²((1+μ)² + μ⁴/(1−μ²)). c_k = Cμᵏ.

        Coupled decay passes through the momentum and acts as decoupled decay of λ(1−d)/(1−μ), up to
        terms of the order ηλ/(1−μ).

        Source:
            Kosson, Messmer & Jaggi 2024, Rotational equilibrium, appendix D.
        """
        mu, nesterov = self.momentum, bool(self.settings.get("nesterov"))
        if not 0 <= mu < 1:
            return None
        if nesterov:
            size = (1 + mu) ** 2 + mu**4 / (1 - mu**2)
        else:
            kept = 1 - self.number("dampening") if mu else 1.0
            size = kept**2 / (1 - mu**2)
        first = averaged_autocorrelation(mu, nesterov=nesterov)
        return Response(
            energy=None if variance is None else prod(shape) * variance * size,
            terms=((first, mu),) if mu else (),
            decay=self.gain if self.decay is Decay.COUPLED else 1.0,
            coupled=self.decay is Decay.COUPLED,
        )
