"""The course of a series through training: when it crosses a threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

_SMOOTH = 5  # samples: a single outlier is not a crossing


@dataclass(frozen=True, slots=True)
class Course:
    """Crossings of a threshold by the running median over five samples.

    Attributes:
        crossings: first sampled steps on the other side.
        above: whether the series ends above the threshold.
    """

    crossings: tuple[int, ...]
    above: bool

    def describe(self, threshold: str) -> str:
        """In words.

        Example:
            >>> Course((40,), above=True).describe("2")
            'above 2 since step 40'
        """
        side = "above" if self.above else "below"
        match self.crossings:
            case ():
                return f"{side} {threshold} throughout"
            case (step,):
                return f"{side} {threshold} since step {step}"
            case _:
                return (
                    f"crossed {threshold} {len(self.crossings)} times, "
                    f"{side} since step {self.crossings[-1]}"
                )


def course(steps: NDArray[np.int64], values: NDArray[np.float64], threshold: float) -> Course:
    """Where a series crosses a threshold.

    Args:
        steps: of the samples, ascending, n ≥ 1.
        values: the series, n values.
        threshold: counted as above.

    Example:
        >>> steps = np.arange(8)
        >>> course(steps, np.array([1.0, 1, 1, 1, 3, 3, 3, 3]), 2.0)
        Course(crossings=(4,), above=True)
    """
    above = median_filter(values, size=_SMOOTH, mode="nearest") >= threshold
    turns = np.flatnonzero(above[1:] != above[:-1]) + 1
    return Course(tuple(int(step) for step in steps[turns]), bool(above[-1]))
