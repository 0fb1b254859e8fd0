"""Schedule-free optimizers: gradients at an interpolation of two sequences of weights."""

from __future__ import annotations

from spectrain.optim.rules.registry import RULES
from spectrain.optim.rules.rule import Decay, Rule


@RULES.register(
    *("adamwschedulefree", "sgdschedulefree", "radamschedulefree", "schedulefreeadamw"),
    *("schedulefreesgd", "schedulefreeradam", "schedulefreewrapper", "sfadamw"),
    name="schedule_free",
)
class ScheduleFree(Rule):
    """y = (1−β)z + βx: z takes the step, x averages z, and the parameters hold y while training.

    An applied update mixes the step with the pull of x, and decay acts on z through y: neither is
    what an optimizer without averaging would do, and both are left to be measured.

    Source:
        Defazio et al. 2024, arXiv:2405.15682.
    """

    @property
    def decay(self) -> Decay:
        return Decay.UNKNOWN
