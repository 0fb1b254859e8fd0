"""The Marchenko-Pastur fit of WeightWatcher 0.7: least squares on a smoothed density.

:mod:`spectrain.rmt` has better fits. This one exists so that its numbers can be compared with those
that WeightWatcher prints; its definition is followed to the letter, even where it is odd.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import fmin

from spectrain.core import InputError

Array = np.ndarray

BANDWIDTH = 0.1
POINTS = 1000
LEAST_DENSITY = 0.01
_REFUSED = 1000.0


@dataclass(frozen=True, slots=True)
class BulkFit:
    """Marchenko-Pastur bulk as WeightWatcher reports it.

    Attributes:
        sigma: σ of the rescaled eigenvalues, whose mean is 1.
        scale: ``W_scale`` = √(n/Σλ).
        edges: (λ₋, λ₊) in the units of the eigenvalues.
        softrank: λ₊/λ_max.
        spikes: eigenvalues above λ₊ and a margin.
    """

    sigma: float
    scale: float
    edges: tuple[float, float]
    softrank: float
    spikes: int


def fit_bulk(eigenvalues: Float[Array, " n"], larger: int, smaller: int) -> BulkFit:
    """Fit σ by least squares and count what lies above the bulk.

    With λ̃ = λ·W_scale², the edges are σ²(1 ± 1/√Q)², Q = N/M, and a spike lies above
    b + √(Q^(−1/2) b^(2/3) M^(−2/3)), b the upper edge.

    Args:
        eigenvalues: squared singular values.
        larger: N, the longer side of the matrix (of one slice of a convolution).
        smaller: M, the shorter side.

    Raises:
        InputError: all eigenvalues are zero, or their density has no bulk.

    Example:
        >>> from spectrain.rmt import laguerre_eigenvalues
        >>> import torch
        >>> g = torch.Generator().manual_seed(0)
        >>> (levels,) = laguerre_eigenvalues((800, 200), count=1, generator=g)
        >>> fit = fit_bulk(levels, 800, 200)
        >>> round(fit.sigma, 1), fit.spikes
        (1.0, 0)
    """
    total = float(eigenvalues.sum())
    if not total > 0:
        raise InputError("all eigenvalues are zero", remedy="there is no bulk to fit")
    q, scale = larger / smaller, float(np.sqrt(len(eigenvalues) / total))
    unit = eigenvalues * scale**2
    largest = float(unit.max())
    sigma = _least_squares(np.sqrt(unit) if larger == smaller else unit, q, largest)
    root = 1 / np.sqrt(q)
    low, high = ((sigma * (1 - root)) ** 2, (sigma * (1 + root)) ** 2)
    margin = np.sqrt(root * high ** (2 / 3) * smaller ** (-2 / 3))
    return BulkFit(
        sigma,
        scale,
        (low / scale**2, high / scale**2),
        high / largest,
        int((unit > high + margin).sum()),
    )


def _least_squares(values: Float[Array, " n"], q: float, largest: float) -> float:
    """σ that brings the law closest to the density, on a grid and then by the simplex method."""
    x, density = _density(values)
    if not len(x):
        raise InputError("the density has no bulk", remedy="the eigenvalues lie too far apart")
    misfit = _quarter_circle(x, density) if q == 1 else _marchenko_pastur(x, density, q)
    unit = np.sqrt(largest) / (1 + 1 / np.sqrt(q))
    grid = np.arange(0.05 * unit, 2.0 * unit, 0.01 * unit)
    start = grid[np.argmin([misfit(sigma) for sigma in grid])]

    def objective(sigma: Array) -> float:
        return misfit(float(sigma[0]))

    return float(fmin(objective, float(start), disp=False)[0])


def _density(values: Float[Array, " n"]) -> tuple[Float[Array, " p"], Float[Array, " p"]]:
    """Kernel density with a triangle of half-width ``BANDWIDTH``, where it is not almost zero."""
    x = np.linspace(0, values.max() + 0.5, POINTS)
    ordered = np.sort(values)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    low, middle, high = (np.searchsorted(ordered, x + side) for side in (-BANDWIDTH, 0, BANDWIDTH))
    left = (middle - low) * (BANDWIDTH - x) + sums[middle] - sums[low]
    right = (high - middle) * (BANDWIDTH + x) - sums[high] + sums[middle]
    density = (left + right) / (len(values) * BANDWIDTH**2)
    kept = density > LEAST_DENSITY
    return x[kept], density[kept]


def _marchenko_pastur(
    x: Float[Array, " p"], density: Float[Array, " p"], q: float
) -> Callable[[float], float]:
    """Sum of squares against the law; edges on the wrong side of the mode are refused."""
    mode, last = x[density.argmax()], x.max()
    root = 1 / np.sqrt(q)

    def misfit(sigma: float) -> float:
        low, high = (sigma * (1 - root)) ** 2, (sigma * (1 + root)) ** 2
        if high < mode or high > last or low > mode:
            return _REFUSED**2 * len(x)
        inside = (x > max(low, 0.0)) & (x < high)
        law = np.zeros_like(x)
        t = x[inside]
        law[inside] = np.sqrt((high - t) * (t - low)) * q / (2 * np.pi * sigma**2 * t)
        return float(((law - density) ** 2).sum())

    return misfit


def _quarter_circle(x: Float[Array, " p"], density: Float[Array, " p"]) -> Callable[[float], float]:
    """Sum of squares against √(4 − x²)/(πσ²): only the height follows σ, not the edge."""
    shape = np.sqrt(np.maximum(4 - x**2, 0)) / np.pi

    def misfit(sigma: float) -> float:
        return float(((shape / sigma**2 - density) ** 2).sum())

    return misfit
