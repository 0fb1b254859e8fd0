"""Statistics of the claims: late means, and what the noise twin settles at."""

from __future__ import annotations

import numpy as np

from spectrain.regime import adamw_noise, equilibrium
from spectrain_studies.frame import Result, Results
from spectrain_studies.frame.statistics import Array

LATE = 1 / 3
"""Share of a run, at its end, over which equilibrium values are averaged."""


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
