"""What the study runs, at each scale; each part has a file of its own for its section."""

from __future__ import annotations

from dataclasses import dataclass

from spectrain.studies.descent import config_dynamics
from spectrain.studies.descent.config_dynamics import Dynamics


@dataclass(frozen=True)
class Config:
    """The study.

    Attributes:
        dynamics: random features, sparse regression and §3.
    """

    dynamics: Dynamics = config_dynamics.DOCUMENT


PAPER = Config(dynamics=config_dynamics.PAPER)
QUICK = Config(dynamics=config_dynamics.QUICK)

THINNED = {
    "quick": (*config_dynamics.THINNED["quick"],),
    "paper": (*config_dynamics.THINNED["paper"],),
}
