"""Adamax: Adam that divides by the largest recent gradient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from spectrain.optim.rules.adam import FirstMoment
from spectrain.optim.rules.registry import RULES
from spectrain.optim.rules.rule import Decay, Form, Response


@RULES.register(torch.optim.Adamax)
class Adamax(FirstMoment):
    """m̂/u with u ← max(β₂u, |g| + ε); decay is coupled."""

    form = Form.DIAGONAL

    @property
    def decay(self) -> Decay:
        return Decay.COUPLED if self.number("weight_decay") else Decay.NONE

    def direction(self, state: Mapping[str, Any]) -> Tensor | None:
        if not {"exp_avg", "exp_inf"} <= state.keys():
            return None
        return state["exp_avg"].double() / state["exp_inf"].double()

    def noise(self, shape: tuple[int, ...], variance: float | None = None) -> Response | None:
        """c_k = β₁ᵏ; the size follows the largest of many draws, which the noise's tail decides."""
        if self.beta1 is None:
            return None
        coupled = self.decay is Decay.COUPLED
        return Response(None, ((1.0, self.beta1),), None if coupled else 1.0, coupled=coupled)
