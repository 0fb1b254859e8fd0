"""Claims on the echo filter as an optimizer: at equal numbers of gradient evaluations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spectrain_studies.frame import Judgement, Results, below, undecided
from spectrain_studies.noise.config import Config
from spectrain_studies.noise.race import RACE
from spectrain_studies.noise.study import STUDY, column, over_seeds

Table = NDArray[np.float64]


def tuned(config: Config, found: Results, arm: str) -> Table:
    """Held-out loss of every seed at the rate that is best for the other seeds."""
    rates = config.race.adamw_rates if arm == "adamw" else config.race.spectral_rates
    losses = np.array([column(found.where(arm=arm, rate=rate), "held_out") for rate in rates])
    chosen = [np.delete(losses, s, axis=1).mean(1).argmin() for s in range(losses.shape[1])]
    best: Table = losses[chosen, range(losses.shape[1])]
    return best


def untuned(config: Config, found: Results, arm: str) -> bool:
    """Whether the best rate of an arm lies at an end of those tried."""
    rates = config.race.adamw_rates if arm == "adamw" else config.race.spectral_rates
    means = [column(found.where(arm=arm, rate=rate), "held_out").mean() for rate in rates]
    return int(np.argmin(means)) in (0, len(rates) - 1)


def _against(arm: str) -> Callable[[Config, Results], Judgement]:
    def judge(config: Config, found: Results) -> Judgement:
        if config.race.seeds < 5:
            return undecided("fewer than 5 seeds", seeds=config.race.seeds)
        arms = {name: tuned(config, found, name) for name in ("echo", "muon", "adamw")}
        details: dict[str, float | str] = {k: float(v.mean()) for k, v in arms.items()}
        at_the_end = [name for name in ("echo", arm) if untuned(config, found, name)]
        if at_the_end:
            told = f"the best rate of {' and '.join(at_the_end)} is an end of those tried"
            return undecided(told, seeds=config.race.seeds, details=details)
        return below(over_seeds(arms["echo"] - arms[arm]), 0.0, details=details)

    return judge


for _arm, _name in (("muon", "Muon"), ("adamw", "AdamW")):
    STUDY.claim(
        f"echo-filter-{_arm}",
        source="this project",
        statement=f"The echo-filtered update trains the GPT to a lower loss than {_name} does, at "
        "equal numbers of gradient evaluations.",
        statistic="held-out loss minus the other's, each at the rate best for the other seeds",
        criterion="below 0, at least 5 seeds, both rates inside the range tried",
        needs=(RACE,),
    )(_against(_arm))
