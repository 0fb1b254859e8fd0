"""Numbers over seeds and cases: means, slopes and shares with their intervals."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest

from spectrain.noise.estimate import Estimate, mean_estimate

LEVEL = 0.95
"""Coverage of the intervals of means and slopes."""

Array = NDArray[np.float64]


def over_seeds(values: ArrayLike) -> Estimate:
    """Mean over seeds with its 95 % t interval.

    Example:
        >>> round(over_seeds([1.0, 2.0, 3.0]).value, 3)
        2.0
    """
    return mean_estimate(torch.from_numpy(np.asarray(values, dtype=np.float64)), level=LEVEL)


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


def share(flags: ArrayLike) -> Estimate:
    """A share with Wilson's 90 % interval.

    Example:
        >>> estimate = share([True] * 19 + [False])
        >>> estimate.value, round(estimate.low, 2)
        (0.95, 0.8)
    """
    x = np.asarray(flags, dtype=bool).ravel()
    count = len(x)
    if not count:
        return Estimate.missing("no case", replicas=0)
    p = float(x.mean())
    found = binomtest(int(x.sum()), count).proportion_ci(0.9, method="wilson")
    return Estimate(p, (p * (1 - p) / count) ** 0.5, float(found.low), float(found.high), count)


def told(estimate: Estimate) -> dict[str, float | None]:
    """An estimate as plain details."""
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}
