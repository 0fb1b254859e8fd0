"""Power-law tails: the law, and the scan for where it starts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from spectrain.core import InputError
from spectrain.rmt.law import (
    Array,
    Numbers,
    as_float,
    finite_sample,
    numpy_generator,
    require_order,
    require_positive,
)

ROWS = 64
"""Starts that are scanned at once: bounds the memory at ROWS × n numbers."""


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """p(x) = (α − 1)/x_min (x/x_min)^(−α) for x ≥ x_min.

    Attributes:
        exponent: α > 1.
        start: x_min > 0.

    Raises:
        InputError: an attribute is out of range.

    Source: Clauset, Shalizi & Newman, Power-law distributions in empirical data (2009), Eq. (2.2).

    Example:
        >>> law = PowerLaw(exponent=3.0, start=1.0)
        >>> float(law.distribution(2.0)), law.moment(1), law.moment(2)
        (0.75, 2.0, inf)
    """

    exponent: float
    start: float

    def __post_init__(self) -> None:
        require_positive(start=self.start)
        if not self.exponent > 1:
            raise InputError(f"exponent is {self.exponent}", remedy="pass a number above 1")

    @property
    def edges(self) -> tuple[float, float]:
        """(x_min, ∞)."""
        return self.start, np.inf

    def density(self, x: Numbers) -> Float[Array, "*shape"]:
        """p(x)."""
        x = as_float(x)
        ratio = np.maximum(x, self.start) / self.start
        peak = (self.exponent - 1) / self.start
        return np.where(x >= self.start, peak * ratio**-self.exponent, 0.0)

    def distribution(self, x: Numbers) -> Float[Array, "*shape"]:
        """1 − (x/x_min)^(1 − α)."""
        ratio = np.maximum(as_float(x), self.start) / self.start
        return np.asarray(-np.expm1((1 - self.exponent) * np.log(ratio)))

    def moment(self, order: int) -> float:
        """(α − 1)/(α − 1 − k) x_minᵏ, infinite from k = α − 1 on."""
        require_order(order)
        if order >= self.exponent - 1:
            return np.inf
        return self.start**order * (self.exponent - 1) / (self.exponent - 1 - order)

    def sample(self, count: int, *, generator: torch.Generator) -> Float[Array, " count"]:
        """Independent draws, by inversion."""
        exponential = numpy_generator(generator).exponential(size=count)
        return self.start * np.exp(exponential / (self.exponent - 1))


@dataclass(frozen=True, slots=True)
class PowerLawFit:
    """A power-law tail.

    Attributes:
        law: exponent and start.
        error: standard error of the exponent, (α − 1)/√n.
        count: number n of values in the tail.
        distance: Kolmogorov-Smirnov distance between tail and law. The scan always finds some
            tail: :func:`~spectrain.rmt.power_law_p_value` says whether to believe it.
    """

    law: PowerLaw
    error: float
    count: int
    distance: float


def fit_power_law(values: Float[Array, " n"]) -> PowerLawFit:
    """Find the tail that looks most like a power law.

    Every value but the largest is tried as x_min. The exponent of the n values from there on is
    α = 1 + n/Σ ln(x/x_min), and the start with the least distance max |1 − (x/x_min)^(1−α) − i/n|
    over i = 0, …, n − 1 wins. (So does WeightWatcher with eigenvalues λ = σ².)

    Args:
        values: positive values, such as the eigenvalues of WᵀW, in any order.

    Raises:
        InputError: fewer than two different values, or one that is not positive and finite.

    Source: Clauset, Shalizi & Newman (2009), §3.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> fit = fit_power_law(PowerLaw(2.5, 1.0).sample(2000, generator=generator))
        >>> bool(abs(fit.law.exponent - 2.5) < 3 * fit.error), fit.distance < 0.03
        (True, True)
    """
    return _scan(values, None)


def fit_power_law_within(values: Float[Array, " n"], starts: tuple[float, float]) -> PowerLawFit:
    """The same with starts between two numbers alone, the largest of those left out.

    Args:
        values: positive values, in any order.
        starts: the least and the largest x_min that is tried.

    Raises:
        InputError: as :func:`fit_power_law`, or fewer than two different values can be the start.

    Example:
        >>> fit = fit_power_law_within(np.array([1.0, 2.0, 3.0, 4.0, 9.0]), (1.5, 3.5))
        >>> fit.law.start
        2.0
    """
    return _scan(values, starts)


def _scan(values: Float[Array, " n"], starts: tuple[float, float] | None) -> PowerLawFit:
    logs = _sorted_logs(values)
    with np.errstate(divide="ignore"):  # equal values at the top have no finite exponent
        exponents = 1 + _tail_sizes(logs) / _tail_sums(logs)
    usable = np.isfinite(exponents)
    if starts is not None:
        usable &= _inside(np.sort(as_float(values))[:-1], starts)
        if not usable.any():
            raise InputError(
                f"no start lies between {starts[0]:g} and {starts[1]:g}", remedy="allow more"
            )
    distances = np.full(exponents.size, np.inf)
    for first in range(0, exponents.size, ROWS):
        rows = np.arange(first, min(first + ROWS, exponents.size))
        distances[rows] = _distances(logs, rows, np.where(usable[rows], exponents[rows], 2.0))
    best = int(np.where(usable, distances, np.inf).argmin())
    exponent, count = float(exponents[best]), logs.size - best
    return PowerLawFit(
        PowerLaw(exponent, float(np.exp(logs[best]))),
        (exponent - 1) / float(np.sqrt(count)),
        count,
        float(distances[best]),
    )


def _inside(sample: Float[Array, " starts"], starts: tuple[float, float]) -> Array:
    """Where the first of equal values lies between the two and is not the largest there."""
    first = np.zeros(sample.size, dtype=bool)
    first[np.unique(sample, return_index=True)[1]] = True
    within = first & (sample >= starts[0]) & (sample <= starts[1])
    if sample.size and within.any():
        within[np.flatnonzero(within)[-1]] = False
    return within


def _sorted_logs(values: Float[Array, " n"]) -> Float[Array, " n"]:
    sample = np.sort(finite_sample("values", values, least=2))
    if sample[0] <= 0:
        raise InputError(
            f"a value is {sample[0]}", remedy="drop the zeros of a rank-deficient matrix first"
        )
    if sample[0] == sample[-1]:
        raise InputError("all values are equal", remedy="a tail needs values that differ")
    return np.log(sample)


def _tail_sizes(logs: Float[Array, " n"]) -> Float[Array, " starts"]:
    return np.arange(logs.size, 1.0, -1.0)


def _tail_sums(logs: Float[Array, " n"]) -> Float[Array, " starts"]:
    """Σ ln(x/x_min) over the tail of every start."""
    sums = np.cumsum(logs[::-1])[::-1][:-1]
    return np.asarray(np.maximum(sums - _tail_sizes(logs) * logs[:-1], 0.0))


def _distances(
    logs: Float[Array, " n"], rows: Array, exponents: Float[Array, " rows"]
) -> Float[Array, " rows"]:
    """Distance of the tails that start at the given rows."""
    tail = logs[rows[0] :]
    rank = np.arange(tail.size) + rows[0] - rows[:, None]
    gaps = np.maximum(tail - logs[rows][:, None], 0.0)
    gaps *= (1 - exponents)[:, None]
    np.exp(gaps, out=gaps)  # exp rounds by 1e-16 of 1, which is nothing to a distance
    gaps += rank / (logs.size - rows)[:, None] - 1
    np.abs(gaps, out=gaps)
    return np.asarray(np.where(rank >= 0, gaps, 0.0).max(axis=1))
