"""Claims on the echo filter as an optimizer: at equal numbers of gradient evaluations."""

from __future__ import annotations

from typing import Any

import numpy as np

from spectrain_studies.frame import Below, Measured, Results
from spectrain_studies.frame.statistics import Array
from spectrain_studies.noise.config import Config
from spectrain_studies.noise.race.experiment import RACE
from spectrain_studies.noise.statistics import column, over_seeds
from spectrain_studies.noise.study import STUDY

FEWEST = 5
"""Seeds below which no difference is judged."""


def _losses(config: Config, found: Results, arm: str) -> Array:
    """Held-out losses, rates × seeds."""
    rates = config.race.adamw_rates if arm == "adamw" else config.race.spectral_rates
    return np.array([column(found.where(arm=arm, rate=rate), "held_out") for rate in rates])


def tuned(config: Config, found: Results, arm: str) -> Array:
    """Held-out loss of every seed at the rate that is best for the other seeds."""
    losses = _losses(config, found, arm)
    chosen = [np.delete(losses, s, axis=1).mean(1).argmin() for s in range(losses.shape[1])]
    return np.asarray(losses[chosen, range(losses.shape[1])])


def _at_an_end(config: Config, found: Results, arm: str) -> bool:
    """Whether the best rate of an arm lies at an end of those tried."""
    means = _losses(config, found, arm).mean(1)
    return int(np.argmin(means)) in (0, len(means) - 1)


for _arm, _name in (("muon", "Muon"), ("adamw", "AdamW")):

    @STUDY.claim(
        f"echo-filter-{_arm}",
        source="this project",
        statement=f"The echo-filtered update trains the GPT to a lower loss than {_name} does, at "
        "equal numbers of gradient evaluations",
        statistic="held-out loss minus the other's, each at the rate best for the other seeds; at "
        f"least {FEWEST} seeds, both rates inside the range tried",
        criterion=Below(0, "nats"),
        needs=(RACE,),
    )
    def against(config: Config, found: Results, arm: str = _arm) -> Measured:
        arms = {name: tuned(config, found, name) for name in ("echo", "muon", "adamw")}
        told: dict[str, Any] = {name: float(losses.mean()) for name, losses in arms.items()}
        ends = [name for name in ("echo", arm) if _at_an_end(config, found, name)]
        why = [f"Fewer than {FEWEST} seeds"] if config.race.seeds < FEWEST else []
        why += [f"The best rate of {' and '.join(ends)} is an end of those tried"] if ends else []
        return Measured(
            over_seeds(arms["echo"] - arms[arm]), details=told, unsettled=". ".join(why)
        )
