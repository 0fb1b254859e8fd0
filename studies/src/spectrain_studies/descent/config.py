"""What the study runs, at each scale; each part has a file of its own for its section."""

from __future__ import annotations

from dataclasses import dataclass

from spectrain_studies.descent import (
    config_dynamics,
    config_theory,
    config_transformer,
    config_trials,
)
from spectrain_studies.descent.config_dynamics import Dynamics
from spectrain_studies.descent.config_theory import Theory
from spectrain_studies.descent.config_transformer import Transformer
from spectrain_studies.descent.config_trials import Trials


@dataclass(frozen=True)
class Config:
    """The study.

    Attributes:
        dynamics: random features, sparse regression and §3.
        theory: numbered results of §2, §4 and the appendices.
        transformer: the GPT: Figures 2 and 5–10, Table 2, and where Muon helps.
        trials: short branches against whole trainings.
    """

    dynamics: Dynamics = config_dynamics.DOCUMENT
    theory: Theory = config_theory.PAPER
    transformer: Transformer = config_transformer.DOCUMENT
    trials: Trials = config_trials.PAPER


PAPER = Config(dynamics=config_dynamics.PAPER, transformer=config_transformer.PAPER)
QUICK = Config(
    dynamics=config_dynamics.QUICK,
    theory=config_theory.QUICK,
    transformer=config_transformer.QUICK,
    trials=config_trials.QUICK,
)

THINNED = {
    scale: tuple(
        line
        for part in (config_dynamics, config_theory, config_transformer, config_trials)
        for line in part.THINNED[scale]
    )
    for scale in ("quick", "paper")
}
