"""The power-law fit of WeightWatcher 0.7: the start of the tail is where the law fits best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from spectrain.core import InputError

Array = np.ndarray

LEAST_EIGENVALUE = 1e-5
"""Eigenvalues up to here take no part."""

FEW = 20
"""Below this many eigenvalues α is corrected for its bias."""

SHORTEST_TAIL = 8
"""Where there are few, a tail has at least so many."""

_ROWS = 1 << 20  # elements of the distances that are formed at a time


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
    few = len(x) < FEW
    counts = np.arange(len(x), 1, -1, dtype=np.float64)
    logs = np.log(x)
    sums = np.cumsum(logs[::-1])[::-1][:-1] - counts * logs[:-1]
    with np.errstate(divide="ignore"):
        alphas = 1 + (counts - few) / np.maximum(sums, 0)
    usable = (alphas > 1) & np.isfinite(alphas)
    if few:
        usable &= (counts >= SHORTEST_TAIL) & (sums > 1e-12)
    if not usable.any():
        raise InputError(
            f"{len(x)} eigenvalues above {LEAST_EIGENVALUE:g} make no tail",
            remedy="a power law needs at least a few different ones",
        )
    distances = _distances(logs, alphas, usable)
    best = int(np.argmin(distances))
    alpha, count = float(alphas[best]), int(counts[best])
    error = (alpha - 1) / float(np.sqrt(count))
    return TailFit(alpha, error, float(x[best]), float(x[-1]), float(distances[best]), count)


def _distances(
    logs: Float[Array, " n"], alphas: Float[Array, " s"], usable: Bool[Array, " s"]
) -> Float[Array, " s"]:
    """Largest distance between the law and the empirical distribution, for every start."""
    n = len(logs)
    found = np.ones(len(alphas))
    rows = max(1, _ROWS // n)
    for first in range(0, len(alphas), rows):
        starts = np.arange(first, min(first + rows, len(alphas)))
        starts = starts[usable[starts]]
        rank = np.arange(first, n)[None, :] - starts[:, None]
        ratio = np.maximum(logs[None, first:] - logs[starts, None], 0.0)
        law = -np.expm1((1 - alphas[starts, None]) * ratio)
        empirical = rank / (n - starts[:, None])
        found[starts] = np.where(rank >= 0, np.abs(law - empirical), 0.0).max(-1, initial=0.0)
    return found
