"""The power-law fits of WeightWatcher 0.7: the start of the tail is where the law fits best."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float

from spectrain.core import InputError
from spectrain.rmt.power_law import PowerLaw, fit_power_law, fit_power_law_within
from spectrain.rmt.truncated_power_law import fit_truncated_power_law

Array = np.ndarray

LEAST_EIGENVALUE = 1e-5
"""Eigenvalues up to here take no part."""

FEW = 20
"""Below this many eigenvalues α is corrected for its bias."""

SHORTEST_TAIL = 8
"""Where there are few, a tail has at least so many."""


BINS = 100
"""Of the histogram of log10 λ whose mode is the peak."""

MOST_FINGERS = 10
FINGER = 1.0
"""α has to fall by so much for the largest eigenvalues to be fingers."""

LEAST_ALPHA = 2.0
"""No more fingers are looked for where α is no larger."""

Law = Literal["PL", "TPL", "E_TPL"]
"""A power law; one with an exponential cut-off; that with its start near the peak."""

Fingers = Literal["none", "xmin_peak", "clip_xmax"]
"""What is done about a few eigenvalues far above the tail."""


@dataclass(frozen=True, slots=True)
class Tail:
    """How WeightWatcher fits tails: its ``fit`` and ``fix_fingers``.

    Raises:
        InputError: fingers are clipped off, and the law has a cut-off.
    """

    law: Law = "PL"
    fingers: Fingers = "none"

    def __post_init__(self) -> None:
        if self.fingers == "clip_xmax" and self.law != "PL":
            raise InputError(
                f"clip_xmax fits power laws and not {self.law}", remedy="choose one of the two"
            )

    @property
    def near_the_peak(self) -> bool:
        """Whether the tail starts near the mode of the spectrum."""
        return self.fingers == "xmin_peak" or self.law == "E_TPL"


@dataclass(frozen=True, slots=True)
class TailFit:
    """λ^(−α) above xmin, or λ^(−α) e^(−Λλ).

    Attributes:
        alpha: α.
        error: its standard error (α − 1)/√n, n the number of eigenvalues in the tail; ``None``
            with a cut-off.
        start: xmin, an eigenvalue.
        end: the largest eigenvalue that was fitted.
        distance: Kolmogorov-Smirnov distance of the tail.
        count: number of eigenvalues from xmin on.
        rate: Λ.
        clipped: number of fingers, as WeightWatcher counts them: one less than were clipped off.
        raw_alpha: α before fingers were clipped off.
    """

    alpha: float
    error: float | None
    start: float
    end: float
    distance: float
    count: int
    rate: float | None = None
    clipped: int | None = None
    raw_alpha: float | None = None


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


def fit_tail_as(eigenvalues: Float[Array, " n"], how: Tail) -> TailFit:
    """Fit a tail in one of WeightWatcher's ways.

    ``TPL`` has a cut-off: α ≥ 1 and Λ > 0 maximise the likelihood (WeightWatcher's simplex method
    stops at a precision of 10⁻⁴ to 10⁻², and its own figures are off by that). ``xmin_peak`` tries
    starts between log₁₀(0.95 p) and 1.5 p alone, p the lower edge of the fullest of 100 bins of
    log₁₀ λ. ``clip_xmax`` leaves out the largest 2, 3, … 9 eigenvalues until α falls by 1.

    Args:
        eigenvalues: λ.
        how: which.

    Raises:
        InputError: there are too few eigenvalues, or they are all equal.

    Source:
        WeightWatcher 0.7.7, ``fit_powerlaw`` and ``fit_clipped_powerlaw``.

    Example:
        >>> x = np.linspace(0.001, 0.999, 999) ** -0.5
        >>> round(fit_tail_as(x, Tail("TPL")).alpha, 1)
        3.0
    """
    if how == Tail():
        return fit_tail(eigenvalues)
    x = np.sort(eigenvalues[eigenvalues > LEAST_EIGENVALUE])
    if len(x) < SHORTEST_TAIL or x[0] == x[-1]:
        return fit_tail(eigenvalues)  # which says why there is none
    if how.fingers == "clip_xmax":
        return _clipped(x)
    within = _near_the_peak(x) if how.near_the_peak else None
    if how.law == "PL":
        assert within is not None
        fit = fit_power_law_within(x, within)
        alpha, start = fit.law.exponent, fit.law.start
        return TailFit(alpha, fit.error, start, float(x[-1]), fit.distance, fit.count)
    cut = fit_truncated_power_law(x, within=within)
    law = cut.law
    return TailFit(
        law.exponent, None, law.start, float(x[-1]), cut.distance, cut.count, rate=law.rate
    )


def _near_the_peak(x: Float[Array, " n"]) -> tuple[float, float]:
    counts, edges = np.histogram(np.log10(x), bins=BINS)
    peak = 10 ** edges[counts.argmax()]
    low, high = sorted((float(np.log10(0.95 * peak)), float(1.5 * peak)))
    return low, high


def _clipped(x: Float[Array, " n"]) -> TailFit:
    raw = best = fit_tail(x)
    clipped = 0
    for left in range(2, min(MOST_FINGERS, len(x) - SHORTEST_TAIL)):
        fit = fit_tail(x[:-left])
        if fit.alpha + FINGER < raw.alpha:
            best, clipped = fit, left - 1
            break
        if fit.alpha <= LEAST_ALPHA:
            break
    count = int((x >= best.start).sum())
    return replace(best, count=count, clipped=clipped, raw_alpha=raw.alpha)


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
