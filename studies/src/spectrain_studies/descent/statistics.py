"""What claims of this study measure: exponents in a size, and how close an inequality comes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from spectrain_studies.frame import Above, Below, Measured, Result, Results
from spectrain_studies.frame.statistics import Array, log_slope

ROUND_OFF = 1e-6
"""Room for round-off in inequalities that may be equalities."""

AT_MOST_1, AT_LEAST_1 = Below(1 + ROUND_OFF), Above(1 - ROUND_OFF)

RATE = Below(-0.4)
"""Of an exponent that is −½ or less: what is of order n^(−½)."""
BOUNDED = Below(0.1)
"""Of the exponent of what does not grow."""
KEPT = Above(-0.1)
"""Of the exponent of what does not shrink."""
LINEAR = Above(0.9)
"""Of the exponent of what grows at least linearly."""

Number = str | Callable[[Result], float]
"""Of a result: by its name, or computed."""


def sizes_of(results: Results, size: str) -> list[Any]:
    """Values of a field of the cases, ascending."""
    return sorted({getattr(result.case, size) for result in results})


def by_size(results: Results, size: str, number: Number) -> Array:
    """A number of every case: sizes × seeds."""

    def of(result: Result) -> float:
        return float(result[number] if isinstance(number, str) else number(result))

    chosen = [results.where(**{size: each}) for each in sizes_of(results, size)]
    return np.array([[of(result) for result in group] for group in chosen])


def power(sizes: Sequence[float], values: Array) -> Measured:
    """Exponent p of values ∝ size^p, seed by seed; means by size in the details.

    Args:
        sizes: ascending.
        values: sizes × seeds.
    """
    means = {f"{size:g}": float(row.mean()) for size, row in zip(sizes, values, strict=True)}
    return Measured(log_slope([float(size) for size in sizes], values), details={"mean": means})


def exponent(results: Results, size: str, number: Number, *, larger: bool = False) -> Measured:
    """Exponent of a number in a field of the cases.

    Args:
        results: the same seeds at every size.
        size: the field.
        number: what is followed.
        larger: fit the larger half of the sizes alone, where a law is one of the limit.

    Example:
        >>> from types import SimpleNamespace as Case
        >>> cases = [Case(width=k, seed=s) for k in (2, 4, 8) for s in range(2)]
        >>> made = Results.made(cases, lambda case: {"rank": (3 + case.seed) * case.width**0.5})
        >>> exponent(made, "width", "rank").details["mean"]["8"].__round__(2)
        9.9
    """
    sizes, values = sizes_of(results, size), by_size(results, size, number)
    start = (len(sizes) - 1) // 2 if larger else 0
    return power(sizes[start:], values[start:])


def largest(results: Results, name: str) -> Measured:
    """The largest value of a ratio that a proven inequality bounds: one above refutes it."""
    return _extreme(results, name, np.nanmax)


def smallest(results: Results, name: str) -> Measured:
    """The smallest value of a ratio, likewise."""
    return _extreme(results, name, np.nanmin)


def _extreme(results: Results, name: str, of: Callable[[Array], float]) -> Measured:
    values = np.concatenate([np.ravel(result[name]) for result in results])
    return Measured(float(of(values)), seeds=len(results), details={"cases": values.size})
