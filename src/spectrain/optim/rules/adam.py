"""Adam and AdamW: averages of gradients, entry by entry over those of their squares."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod, sqrt
from typing import Any

import torch
from torch import Tensor

from spectrain.optim.rules.registry import RULES
from spectrain.optim.rules.rule import Decay, Form, Response, Rule
from spectrain.regime import adamw_noise


class FirstMoment(Rule):
    """A rule that keeps m ← β₁m + (1−β₁)g as ``exp_avg`` and counts its ``step``s."""

    @property
    def beta1(self) -> float | None:
        """β₁, if the group has it."""
        betas = self.settings.get("betas")
        return float(betas[0]) if betas else None

    def average(self, state: Mapping[str, Any], parameter: Tensor) -> Tensor | None:
        moment, steps = state.get("exp_avg"), state.get("step", self.settings.get("step"))
        if not isinstance(moment, Tensor) or steps is None or self.beta1 is None:
            return None
        correction = 1 - self.beta1 ** float(steps)
        if correction <= 0:
            return None
        mean = moment / correction
        if self.decay is Decay.COUPLED:
            mean = mean - self.number("weight_decay") * parameter.detach()
        return -mean if self.settings.get("maximize") else mean


@RULES.register(torch.optim.Adam)
class Adam(FirstMoment):
    """m̂/(√v̂ + ε); decay is coupled unless ``decoupled_weight_decay`` is set."""

    form = Form.DIAGONAL

    @property
    def decay(self) -> Decay:
        if not self.number("weight_decay"):
            return Decay.NONE
        decoupled = self.settings.get("decoupled_weight_decay")
        return Decay.DECOUPLED if decoupled else Decay.COUPLED

    def direction(self, state: Mapping[str, Any]) -> Tensor | None:
        key = "max_exp_avg_sq" if self.settings.get("amsgrad") else "exp_avg_sq"
        if not {"exp_avg", key, "step"} <= state.keys() or not self.settings.get("betas"):
            return None
        correction = 1 - float(self.settings["betas"][1]) ** float(state["step"])
        if correction <= 0:
            return None
        scale = (state[key].double() / correction).sqrt() + self.number("eps", 1e-8)
        return state["exp_avg"].double() / scale

    def _spread(self) -> float:
        """What the fluctuations of v̂ leave of U²S, to first order in 1 − β₂."""
        beta1, beta2 = map(float, self.settings["betas"])
        return (1 - beta2) * abs(1 - 2 * (1 - beta1) / (1 - beta1 * beta2))

    def noise(self, shape: tuple[int, ...], variance: float | None = None) -> Response | None:
        """U² = N(1−β₁)/(1+β₁)·(σ/(σ+ε))², c_k = β₁ᵏ, up to a relative error of order 1 − β₂.

        The largest second moment so far, by which amsgrad divides, has no stationary law: its
        energy is measured. Coupled decay adds λW to the gradient, which the division by σ + ε turns
        into decoupled decay of λ/(σ + ε).

        Source:
            Kosson, Messmer & Jaggi 2024, Rotational equilibrium, §3.2.
        """
        if self.beta1 is None:
            return None
        count = prod(shape)
        settled = adamw_noise(count, beta1=self.beta1)
        largest = bool(self.settings.get("amsgrad"))
        sigma = None if variance is None else sqrt(variance)
        epsilon = self.number("eps", 1e-8)
        share = 1.0 if not sigma else sigma / (sigma + epsilon)
        decay: float | None = 1.0
        if self.decay is Decay.COUPLED:
            decay = None if largest or not sigma else 1 / (sigma + epsilon)
        return Response(
            energy=None if largest else settled.energy * share**2,
            terms=settled.terms,
            decay=decay,
            spread=self._spread(),
            coupled=self.decay is Decay.COUPLED,
        )


@RULES.register(torch.optim.AdamW, "adamw")
class AdamW(Adam):
    """Adam with decoupled decay."""

    @property
    def decay(self) -> Decay:
        return Decay.DECOUPLED if self.number("weight_decay") else Decay.NONE
