"""Statistics of the claims: late means, slopes in logarithms, and intervals over seeds."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from spectrain.noise.estimate import Estimate, mean_estimate
from spectrain.regime import adamw_noise, equilibrium
from spectrain.studies.frame import Result, Results

LEVEL = 0.95
"""Coverage of the intervals that criteria are held against."""

LATE = 1 / 3
"""Share of a run, at its end, over which equilibrium values are averaged."""

Array = NDArray[np.float64]


def over_seeds(values: ArrayLike) -> Estimate:
    """Mean over seeds with its 95 % t interval.

    Example:
        >>> round(over_seeds([1.0, 2.0, 3.0]).value, 3)
        2.0
    """
    return mean_estimate(torch.from_numpy(np.asarray(values, dtype=np.float64)), level=LEVEL)


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


def slope(x: Iterable[float], y: Array) -> Estimate:
    """Least-squares slope of y (arms × seeds) in x (arms), over seeds.

    Example:
        >>> x = np.array([0.0, 1.0, 2.0])
        >>> round(slope(x, np.stack([2 * x, 2 * x + 1], 1)).value, 6)
        2.0
    """
    centred = np.array([*x], dtype=np.float64)
    centred = centred - centred.mean()
    return over_seeds(centred @ (y - y.mean(0)) / (centred @ centred))


def log_slope(x: Iterable[float], y: Array) -> Estimate:
    """Exponent of y ∝ x^p, fitted seed by seed in logarithms."""
    return slope(np.log([*x]), np.log(y))


def twin_norm(count: int, learning_rate: float, weight_decay: float) -> float:
    """Norm that AdamW's noise twin settles at."""
    return equilibrium(
        adamw_noise(count), learning_rate=learning_rate, weight_decay=weight_decay
    ).norm


def told(estimate: Estimate) -> dict[str, float | None]:
    """An estimate as plain details."""
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}
