"""Optimizers that orthogonalize, and of which no more is known; and what stands beside them."""

from __future__ import annotations

from spectrain.optim.rules.adam import FirstMoment
from spectrain.optim.rules.registry import RULES
from spectrain.optim.rules.rule import Form, Rule


@RULES.register("orthogonal")
class Orthogonal(Rule):
    """Steps along a polar factor: a Muon of which neither length nor average is told."""

    form = Form.ORTHOGONAL


@RULES.register("fallback")
class Fallback(FirstMoment):
    """The groups of a mixed optimizer that take no orthogonal step and do not say what they take.

    Where they keep ``exp_avg`` and ``step`` and tell their betas, that is an average of gradients.
    """
