"""NAdam: Adam with Nesterov's look ahead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from spectrain.optim.rules.adam import Adam
from spectrain.optim.rules.registry import RULES
from spectrain.optim.rules.rule import Response
from spectrain.regime.muon import averaged_autocorrelation


@RULES.register(torch.optim.NAdam)
class NAdam(Adam):
    """((1−μ)g + μ′m)/√v̂, where μ rises from β₁/2 to β₁ as ``momentum_decay`` has it."""

    def direction(self, state: Mapping[str, Any]) -> Tensor | None:
        return None  # the gradient in it is in no state

    def noise(self, shape: tuple[int, ...], variance: float | None = None) -> Response | None:
        """c_k = Cβ₁ᵏ once μ has risen; while it rises the energy does, so that is measured."""
        adam = super().noise(shape, variance)
        if adam is None or not self.beta1:
            return adam
        first = averaged_autocorrelation(self.beta1, nesterov=True)
        return replace(adam, energy=None, terms=((first, self.beta1),))
