"""Whether the finding tells a matrix of pure noise from one of pure signal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from spectrain_studies.frame import Above, Measured, Planted, Results
from spectrain_studies.frame.statistics import share
from spectrain_studies.regime.config import Config
from spectrain_studies.regime.planted_runs.experiment import PLANTED, PlantedCase
from spectrain_studies.regime.study import STUDY

RUNS = 100


def _world(right: int) -> Callable[[Config, torch.Generator], list[Results]]:
    """So many of 100 runs are told rightly."""

    def made(config: Config, generator: torch.Generator) -> list[Results]:
        def outcome(case: PlantedCase) -> dict[str, Any]:
            wrong = ["undecided"] * (RUNS - right)
            return {
                "noise_verdict": ["equilibrium"] * right + wrong,
                "signal_verdict": ["signal-driven"] * RUNS,
            }

        return [Results.made([PlantedCase(0, RUNS, 1)], outcome)]

    return made


@STUDY.claim(
    "finding-tells-noise-from-signal",
    source="this project",
    statement="The finding tells a matrix of pure noise from one of pure signal",
    statistic="share of runs in which the first is said to be in equilibrium and the second to be "
    "signal-driven",
    criterion=Above(0.95),
    needs=[PLANTED],
    planted=Planted(_world(100), _world(85)),
)
def tells_apart(config: Config, planted: Results) -> Measured:
    noise = np.concatenate([result["noise_verdict"] for result in planted])
    signal = np.concatenate([result["signal_verdict"] for result in planted])
    return Measured(share((noise == "equilibrium") & (signal == "signal-driven")))
