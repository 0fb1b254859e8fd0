"""Noise twins against theory: norms, angles, relaxation, and the memory of Muon's updates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from spectrain_studies.frame import Measured, OnEvery, Planted, Result, Results, Within
from spectrain_studies.frame.statistics import over_seeds
from spectrain_studies.regime.config import Config
from spectrain_studies.regime.study import STUDY
from spectrain_studies.regime.twins.experiment import TWINS, TwinCase

CLOSE = OnEvery("shape", Within(0.95, 1.05))
ROUGH = OnEvery("shape", Within(0.9, 1.1))
NAMES = {"adamw": "AdamW", "muon": "Muon", "momentum": "SGD with momentum"}


def _by_shape(
    twins: Results, rule: str, measure: Callable[[Result], Measured]
) -> dict[str, Measured]:
    return {
        f"{r.case.shape[0]}×{r.case.shape[1]}, η = {r.case.learning_rate}": measure(r)
        for r in twins.where(rule=rule)
    }


def _planted(true: float = 1.0, false: float = 1.3) -> Planted:
    """Twins whose every quantity is so many times the theory's."""

    def world(factor: float) -> Callable[[Config, torch.Generator], list[Results]]:
        def made(config: Config, generator: torch.Generator) -> list[Results]:
            def outcome(case: TwinCase) -> dict[str, Any]:
                luck = 1 + 0.01 * torch.randn(case.twins, generator=generator).double().numpy()
                time = 1 / (2 * case.learning_rate * case.weight_decay)
                left = 1 + 3 * factor * np.exp(-1)  # of ‖W‖², one relaxation time after 4
                return {
                    "norm": 1.0,
                    "spread": 0.1,
                    "steps": np.array([1, round(time), case.steps]),
                    "norms": np.stack([2 * luck, left**0.5 * luck, factor * luck]),
                    "angles": factor * luck,
                    "energy": factor * luck,
                    "persistence": 2 * factor * luck,
                    "expected_persistence": 2.0,
                }

            return [Results.made(TWINS.cases(config), outcome)]

        return made

    return Planted(world(true), world(false))


def _settling(rule: str, name: str) -> None:
    @STUDY.claim(
        f"theory-{rule}-norm",
        source="this project; Kosson et al. 2024" + (", extended" if rule == "muon" else ""),
        statement=f"{name}'s noise twin settles at the norm of the theory",
        statistic="norm after 6 relaxation times over theory, mean over twins",
        criterion=CLOSE,
        needs=[TWINS],
        planted=_planted(),
    )
    def norm(config: Config, twins: Results) -> dict[str, Measured]:
        def measure(r: Result) -> Measured:
            told = {"relative spread of the theory's squared norm": r["spread"]}
            return Measured(over_seeds(r["norms"][-1] / r["norm"]), details=told)

        return _by_shape(twins, rule, measure)

    @STUDY.claim(
        f"theory-{rule}-angle",
        source="this project; Kosson et al. 2024, §3",
        statement=f"{name}'s noise twin turns by the angular update of the theory",
        statistic="angle per step over the last 100 steps over theory, mean over twins",
        criterion=CLOSE,
        needs=[TWINS],
        planted=_planted(),
    )
    def angle(config: Config, twins: Results) -> dict[str, Measured]:
        return _by_shape(twins, rule, lambda r: Measured(over_seeds(r["angles"])))


for _rule, _name in NAMES.items():
    _settling(_rule, _name)


@STUDY.claim(
    "theory-relaxation",
    source="Kosson et al. 2024; §1",
    statement="Deviations of ‖W‖² from the equilibrium fall to 1/e in 1/(2ηλ) steps",
    statistic="excess of ‖W‖² left after one relaxation time over 1/e of the initial one, AdamW, "
    "mean over twins",
    criterion=ROUGH,
    needs=[TWINS],
    planted=_planted(),
)
def relaxation(config: Config, twins: Results) -> dict[str, Measured]:
    """The mean of the excess, not of its logarithm, which single twins make negative."""

    def measure(r: Result) -> Measured:
        time = 1 / (2 * r.case.learning_rate * r.case.weight_decay)
        place = int(np.argmin(np.abs(r["steps"] - time)))
        left = (r["norms"][place] ** 2 - r["norm"] ** 2) / (3 * r["norm"] ** 2)
        return Measured(over_seeds(left * np.exp(r["steps"][place] / time)))

    return _by_shape(twins, "adamw", measure)


@STUDY.claim(
    "theory-muon-memory",
    source="this project (module spectrain.regime.muon)",
    statement="The summed autocorrelation of Muon's updates on noise is that of the derivation",
    statistic="measured S_a over the theory's, mean over twins",
    criterion=ROUGH,
    needs=[TWINS],
    planted=_planted(),
)
def muon_memory(config: Config, twins: Results) -> dict[str, Measured]:
    def measure(r: Result) -> Measured:
        told = {"energy over theory": float(np.mean(r["energy"]))}
        return Measured(over_seeds(r["persistence"] / r["expected_persistence"]), details=told)

    return _by_shape(twins, "muon", measure)
