"""ASGD: plain descent with an average of the weights on the side."""

from __future__ import annotations

from math import prod

import torch

from spectrain.optim.rules.registry import RULES
from spectrain.optim.rules.rule import Decay, Form, Response, Rule


@RULES.register(torch.optim.ASGD)
class ASGD(Rule):
    """W ← (1 − λ_dη_t)W − η_t(g + λW), with ``lambd`` λ_d and η_t = η/(1 + λ_dηt)^α."""

    form = Form.LINEAR

    @property
    def decay(self) -> Decay:
        if self.number("lambd"):
            return Decay.DECOUPLED
        return Decay.COUPLED if self.number("weight_decay") else Decay.NONE

    def decay_factor(self) -> float | None:
        """Unknown where ``lambd`` acts: the rate that it is multiplied by is in the state."""
        return None if self.number("lambd") else 1.0

    def noise(self, shape: tuple[int, ...], variance: float | None = None) -> Response | None:
        """As plain descent, U² = Nσ², where ``lambd`` is 0; otherwise its rate falls by itself."""
        if self.number("lambd"):
            return None
        energy = None if variance is None else prod(shape) * variance
        return Response(energy, coupled=self.decay is Decay.COUPLED)
