"""The power-law fit of WeightWatcher 0.7: the start of the tail is where the law fits best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from spectrain.core import InputError
from spectrain.rmt.power_law import PowerLaw, fit_power_law

Array = np.ndarray

LEAST_EIGENVALUE = 1e-5
"""Eigenvalues up to here take no part."""

FEW = 20
"""Below this many eigenvalues α is corrected for its bias."""

SHORTEST_TAIL = 8
"""Where there are few, a tail has at least so many."""


@dataclass(frozen=True, slots=True)
class TailFit:
    """λ^(−α) above xmin.

    Attributes:
        alpha: α.
        error: its standard error (α − 1)/√n, n the number of eigenvalues in the tail.
        start: xmin, an eigenvalue.
        end: the largest eigenvalue.
        distance: Kolmogorov-Smirnov distance of the tail.
        count: number of eigenvalues in the tail.
    """

    alpha: float
    error: float
    start: float
    end: float
    distance: float
    count: int


def fit_tail(eigenvalues: Float[Array, " n"]) -> TailFit:
    """Fit a power law to the largest eigenvalues.

    Every eigenvalue but the last is tried for xmin, with α = 1 + n/Σ ln(λ/xmin); the one with the
    least distance between 1 − (λ/xmin)^(1−α) and i/n, i from 0, is taken. Where there are fewer
    than 20 eigenvalues α = 1 + (n − 1)/Σ ln(λ/xmin) and a tail has at least 8.

    Raises:
        InputError: there are too few eigenvalues, or they are all equal.

    Example:
        >>> tail = fit_tail(np.linspace(0.001, 0.999, 999) ** -0.5)  # density ∝ x^−3
        >>> round(tail.alpha, 1)
        3.0
    """
    x = np.sort(eigenvalues[eigenvalues > LEAST_EIGENVALUE])
    if len(x) < SHORTEST_TAIL or x[0] == x[-1]:
        raise InputError(
            f"{len(x)} eigenvalues above {LEAST_EIGENVALUE:g} make no tail",
            remedy="a power law needs at least a few different ones",
        )
    if len(x) < FEW:
        return _fit_few(x)
    fit = fit_power_law(x)
    best = len(x) - fit.count
    return TailFit(
        fit.law.exponent, fit.error, float(x[best]), float(x[-1]), fit.distance, fit.count
    )


def _fit_few(x: Float[Array, " n"]) -> TailFit:
    fits = []
    for first in range(len(x) - SHORTEST_TAIL + 1):
        count = len(x) - first
        total = float(np.log(x[first:] / x[first]).sum())
        if total > 1e-12:
            law = PowerLaw(1 + (count - 1) / total, float(x[first]))
            gaps = law.distribution(x[first:]) - np.arange(count) / count
            fits.append((float(np.abs(gaps).max()), first, law))
    distance, first, law = min(fits, key=lambda fit: fit[:2])
    count = len(x) - first
    error = (law.exponent - 1) / float(np.sqrt(count))
    return TailFit(law.exponent, error, law.start, float(x[-1]), distance, count)
