"""What the claims read out of results."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from spectrain.noise import Estimate
from spectrain_studies.frame import Measured, Results, statistics
from spectrain_studies.frame.statistics import Array

LEVEL = 0.9
"""Coverage of this study's intervals, as of those that it tests."""


def column(results: Results, name: str) -> Array:
    """A number of every result."""
    return np.array([float(result[name]) for result in results])


def over_seeds(values: ArrayLike) -> Estimate:
    """Mean over independent seeds with its 90 % t interval."""
    return statistics.over_seeds(values, level=LEVEL)


def largest(results: Results, name: str) -> Measured:
    """The largest number of all results, where luck plays no part."""
    return Measured(float(column(results, name).max()), seeds=len(results))


def line(seeds: list[tuple[Array, Array]]) -> dict[str, Measured]:
    """Slope and intercept of a line through the points of each seed."""
    fits = np.array([np.polyfit(x, y, 1) for x, y in seeds])
    return {
        name: Measured(over_seeds(values))
        for name, values in zip(("slope", "intercept"), fits.T, strict=True)
    }
