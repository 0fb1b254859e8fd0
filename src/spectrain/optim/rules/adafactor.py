"""Adafactor: second moments from row and column means, steps relative to the weights' size."""

from __future__ import annotations

import torch

from spectrain.optim.rules.orthogonal import DecayAsTold
from spectrain.optim.rules.registry import RULES
from spectrain.optim.rules.rule import Decay, Form, Rule


@RULES.register(torch.optim.Adafactor, name="adafactor")
class Adafactor(Rule):
    """g/√v̂ with v̂ of rank one, clipped, times the rate and the weights' root mean square.

    It keeps no average of gradients. As its steps grow with the weights, its settings do not
    determine a norm at which noise and decay settle.

    Source:
        Shazeer & Stern 2018, arXiv:1804.04235.
    """

    form = Form.DIAGONAL

    @property
    def decay(self) -> Decay:
        return Decay.DECOUPLED if self.number("weight_decay") else Decay.NONE


@RULES.register("adafactor", name="adafactor_elsewhere")
class OtherAdafactor(DecayAsTold):
    """Adafactor outside torch: ``exp_avg``, if there, averages steps and not gradients."""

    form = Form.DIAGONAL
