"""Optimizers whose steps have no stationary law on noise: their steps shrink, grow or search."""

from __future__ import annotations

import torch

from spectrain.optim.rules.registry import RULES
from spectrain.optim.rules.rule import Decay, Form, Rule


class CoupledDecay(Rule):
    """A rule whose decay is added to the gradient."""

    @property
    def decay(self) -> Decay:
        return Decay.COUPLED if self.number("weight_decay") else Decay.NONE


@RULES.register(torch.optim.Adagrad)
class Adagrad(CoupledDecay):
    """g/(√Σg² + ε): its steps shrink like 1/√t."""

    form = Form.DIAGONAL


@RULES.register(torch.optim.Adadelta)
class Adadelta(CoupledDecay):
    """g·√(E[u²] + ε)/√(E[g²] + ε): on noise its steps grow from ε by themselves."""

    form = Form.DIAGONAL


@RULES.register(torch.optim.Rprop)
class Rprop(Rule):
    """The sign of the gradient times a step of each entry's own, longer while signs agree."""

    form = Form.DIAGONAL


@RULES.register(torch.optim.LBFGS)
class LBFGS(Rule):
    """Directions of a quasi-Newton method over all parameters at once."""


@RULES.register(torch.optim.SparseAdam)
class SparseAdam(Rule):
    """Adam on the rows that have a gradient; the others keep their averages as they are."""

    form = Form.DIAGONAL
