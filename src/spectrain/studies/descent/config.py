"""What the study runs, at each scale; each part has a file of its own for its section."""

from __future__ import annotations

from dataclasses import dataclass, field

from spectrain.studies.descent import config_dynamics
from spectrain.studies.descent.config_dynamics import Features


@dataclass(frozen=True)
class Config:
    """The study.

    Attributes:
        features: random features, Figures 3 and 11.
    """

    features: Features = field(default_factory=Features)


PAPER = Config()
QUICK = Config(features=config_dynamics.QUICK_FEATURES)

THINNED = {
    "quick": (*config_dynamics.THINNED["quick"],),
    "paper": (*config_dynamics.THINNED["paper"],),
}
