"""Optimizers of which little is known: those that orthogonalize, and all others."""

from __future__ import annotations

from spectrain.optim.rules.adam import Adam, FirstMoment
from spectrain.optim.rules.registry import RULES
from spectrain.optim.rules.rule import Decay, Form, Rule


class DecayAsTold(Rule):
    """Decay as ``decoupled_weight_decay`` or ``weight_decouple`` of a group says."""

    @property
    def decay(self) -> Decay:
        if not self.number("weight_decay"):
            return Decay.NONE
        for key in ("decoupled_weight_decay", "weight_decouple"):
            if isinstance(self.settings.get(key), bool):
                return Decay.DECOUPLED if self.settings[key] else Decay.COUPLED
        return Decay.UNKNOWN


@RULES.register("orthogonal")
class Orthogonal(DecayAsTold):
    """Steps along a polar factor: a Muon of which neither length nor average is known."""

    form = Form.ORTHOGONAL


@RULES.register("adam", name="adam_elsewhere")
class OtherAdam(DecayAsTold, Adam):
    """Adam outside torch: whether its decay is coupled differs."""


@RULES.register("fallback")
class Fallback(DecayAsTold, FirstMoment):
    """The groups of a mixed optimizer that take no orthogonal step and do not say what they take.

    Where they keep ``exp_avg`` and ``step`` and have betas, that is an average of gradients.
    """


@RULES.register("unknown")
class Unknown(DecayAsTold, FirstMoment):
    """An optimizer without a rule; of its state only the usual ``exp_avg`` is understood."""
