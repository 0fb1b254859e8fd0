"""Statistics of the claims: late means, what the noise twin settles at, whether a run settled."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from spectrain.regime import adamw_noise, equilibrium
from spectrain_studies.frame import Found, Result, Results, unsettle
from spectrain_studies.frame.statistics import Array

LATE = 1 / 3
"""Share of a run, at its end, over which equilibrium values are averaged."""
ENOUGH = 5.0
"""Relaxation times 1/(2ηλ) after which a run is taken to have settled."""

Judge = Callable[..., Found]


def late(result: Result, name: str) -> Array:
    """Mean over the last third of a run: arms × seeds."""
    steps = result["steps"]
    chosen = steps >= (1 - LATE) * steps[-1]
    return np.asarray(result[name][chosen]).mean(0)


def late_arms(results: Results, name: str) -> Array:
    """The same for the arms of all cases of a sweep, in their order."""
    return np.concatenate([late(result, name) for result in results])


def late_ratio(results: Results, definition: str) -> Array:
    """SNR_γ/SNR_W late in the run: arms × seeds."""
    return late_arms(results, f"multiplier_{definition}") / late_arms(
        results, f"weight_{definition}"
    )


def late_difference(results: Results, definition: str) -> Array:
    """SNR_γ − SNR_W late in the run: arms × seeds."""
    return late_arms(results, f"multiplier_{definition}") - late_arms(
        results, f"weight_{definition}"
    )


def twin_norm(count: int, learning_rate: float, weight_decay: float) -> float:
    """Norm that AdamW's noise twin settles at."""
    return equilibrium(
        adamw_noise(count), learning_rate=learning_rate, weight_decay=weight_decay
    ).norm


def settled(judge: Judge) -> Judge:
    """Decorate a judge of equilibrium values: unsettled where a run with decay is too short."""

    @wraps(judge)
    def judged(config: Any, runs: Results) -> Found:
        passed = min(
            2 * arm.learning_rate * arm.weight_decay * run.case.steps
            for run in runs
            for arm in run.case.arms
            if arm.weight_decay
        )
        return unless_short(judge(config, runs), passed)

    return judged


def unless_short(found: Found, passed: float) -> Found:
    """What was found, unsettled where too few relaxation times passed."""
    if passed > ENOUGH - 0.01:
        return found
    return unsettle(found, f"{passed:.2g} relaxation times are too few for an equilibrium")
