"""Lion and other optimizers that step along signs."""

from __future__ import annotations

from collections.abc import Mapping
from math import pi, prod
from typing import Any

from torch import Tensor

from spectrain.optim.rules.orthogonal import DecayAsTold
from spectrain.optim.rules.registry import RULES
from spectrain.optim.rules.rule import Decay, Form, Response, Rule

ORDERS = 12
"""Terms of the arc sine's series; the next one is below 0.2 % of the sum where ρ is below 0.9."""


@RULES.register("lion")
class Lion(Rule):
    """sign(β₁m + (1−β₁)g), m ← β₂m + (1−β₂)g; decay is decoupled.

    Lion does not count its steps: its average is not corrected for its start at zero, which ceases
    to matter after a few times 1/(1 − β₂) steps.

    With ``decoupled_weight_decay`` lion-pytorch divides λ by the rate that it began with.

    Source:
        Chen et al. 2023, arXiv:2302.06675, algorithm 2.
    """

    form = Form.SIGN

    @classmethod
    def of(cls, optimizer: Any, group: Mapping[str, Any], parameter: Tensor | None) -> Rule:
        label = type(optimizer).__name__
        if not getattr(optimizer, "decoupled_wd", False):
            return cls(group, label=label)
        decay = float(group.get("weight_decay") or 0.0) / optimizer._init_lr
        return cls({**group, "weight_decay": decay}, label=label)

    @property
    def decay(self) -> Decay:
        if not self.number("weight_decay"):
            return Decay.NONE
        decoupled = self.settings.get("weight_decouple", True)
        return Decay.DECOUPLED if decoupled else Decay.COUPLED

    def average(self, state: Mapping[str, Any], parameter: Tensor) -> Tensor | None:
        moment = state.get("exp_avg")
        if not isinstance(moment, Tensor) or self.decay is Decay.COUPLED:
            return None
        return -moment if self.settings.get("maximize") else moment

    def noise(self, shape: tuple[int, ...], variance: float | None = None) -> Response | None:
        """U² = N; c_k = (2/π) asin(Cβ₂ᵏ), the orthant law of Gaussian signs.

        C is that of the mixed average x = β₁m + (1−β₁)g, whose autocorrelation is Cβ₂ᵏ.
        """
        betas = self.settings.get("betas")
        if not betas or self.decay is Decay.COUPLED:
            return None
        beta1, beta2 = map(float, betas)
        if not 0 < beta2 < 1:
            return None
        lasting = beta1**2 * (1 - beta2) / (1 + beta2)
        total = (1 - beta1) ** 2 + lasting
        first = ((1 - beta1) * beta1 * (1 - beta2) / beta2 + lasting) / total
        terms, factor = [], 2 / pi
        for order in range(ORDERS):
            power = 2 * order + 1
            terms.append((factor * first**power / power, beta2**power))
            factor *= (2 * order + 1) / (2 * order + 2)
        return Response(float(prod(shape)), tuple(terms))


@RULES.register("signsgd", "signum", "tiger")
class Sign(DecayAsTold):
    """The sign of a gradient or of an average of them."""

    form = Form.SIGN
