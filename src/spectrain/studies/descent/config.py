"""What the study runs, at each scale; each part has a file of its own for its section."""

from __future__ import annotations

from dataclasses import dataclass

from spectrain.studies.descent import config_dynamics, config_theory
from spectrain.studies.descent.config_dynamics import Dynamics
from spectrain.studies.descent.config_theory import Theory


@dataclass(frozen=True)
class Config:
    """The study.

    Attributes:
        dynamics: random features, sparse regression and §3.
        theory: numbered results of §2, §4 and the appendices.
    """

    dynamics: Dynamics = config_dynamics.DOCUMENT
    theory: Theory = config_theory.PAPER


PAPER = Config(dynamics=config_dynamics.PAPER)
QUICK = Config(dynamics=config_dynamics.QUICK, theory=config_theory.QUICK)

THINNED = {
    "quick": (*config_dynamics.THINNED["quick"], *config_theory.THINNED["quick"]),
    "paper": (*config_dynamics.THINNED["paper"], *config_theory.THINNED["paper"]),
}
