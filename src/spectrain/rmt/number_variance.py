"""Number variance: how rigid a spectrum is over long stretches."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.special import sici

from spectrain.core import InputError
from spectrain.rmt.jackknife import jackknife
from spectrain.rmt.law import Array, Numbers, Values, as_float, finite_sample


def number_variance_law(length: Numbers, beta: Literal[0, 1, 2, 4] = 1) -> Float[Array, "*shape"]:
    """Σ²(L): variance of the number of levels in a stretch that holds L on average.

    β = 0 (independent levels): L. β = 2: [ln 2πL + γ + 1 − cos 2πL − Ci 2πL]/π² +
    L[1 − (2/π) Si 2πL]. β = 1: 2Σ²₂(L) + (Si πL/π)² − Si(πL)/π. β = 4: Σ²₂(2L)/2 + (Si 2πL/2π)².
    Random matrices are rigid: their variance grows as the logarithm of L.

    Args:
        length: L ≥ 0.
        beta: Dyson index, 0 for independent levels.

    Raises:
        InputError: a negative length, or another beta.

    Source: Mehta, Random Matrices, §16.1; Guhr, Müller-Groeling & Weidenmüller (1998), §3.2.

    Example:
        >>> number_variance_law([1.0, 10.0]).round(3), number_variance_law(10.0, beta=0)
        (array([0.446, 0.909]), array(10.))
    """
    stretch = as_float(length)
    if (stretch < 0).any():
        raise InputError("a length is negative", remedy="pass lengths in mean spacings")
    if beta == 0:
        return stretch
    if beta == 1:
        sine = sici(np.pi * stretch)[0] / np.pi
        return np.asarray(2 * _unitary(stretch) + sine**2 - sine)
    if beta == 2:
        return _unitary(stretch)
    if beta == 4:
        sine = sici(2 * np.pi * stretch)[0] / (2 * np.pi)
        return np.asarray(_unitary(2 * stretch) / 2 + sine**2)
    raise InputError(f"beta is {beta}", remedy="pass 0, 1, 2 or 4")


def number_variance(
    unfolded: Float[Array, "matrices n"], lengths: Float[Array, " lengths"]
) -> tuple[Float[Array, " lengths"], Float[Array, " lengths"]]:
    """Measured Σ²(L) of unfolded spectra, and its jackknife error over matrices.

    Windows of length L are laid over each spectrum in steps of half a spacing, ends touching the
    first and last level at most.

    Args:
        unfolded: spectra of unit mean spacing, one a row.
        lengths: the L, each below a half of the span of every spectrum.

    Raises:
        InputError: fewer than two spectra, or a length that is too large or not positive.

    Source: Dyson & Mehta (1963).

    Example:
        >>> levels = np.cumsum(np.random.default_rng(0).exponential(size=(50, 400)), axis=1)
        >>> variance, error = number_variance(levels, np.array([3.0]))
        >>> bool(abs(variance[0] - 3) < 3 * error[0])  # independent levels: L
        True
    """
    spectra = np.sort(finite_sample("unfolded", unfolded), axis=-1)
    span = float((spectra[:, -1] - spectra[:, 0]).min())
    if not (lengths.min() > 0 and lengths.max() < span / 2):
        raise InputError(
            f"the lengths reach from {lengths.min()} to {lengths.max()}",
            remedy=f"choose them between 0 and half of the shortest span, {span / 2:.1f}",
        )
    measured = [_for_one_length(spectra, float(length)) for length in lengths]
    values, errors = zip(*measured, strict=True)
    return np.array(values), np.array(errors)


def _for_one_length(spectra: Float[Array, "matrices n"], length: float) -> tuple[float, float]:
    """The variance from the sums of 1, n and n² over the windows of each spectrum."""
    sums = np.empty((len(spectra), 3))
    for row, levels in enumerate(spectra):
        starts = np.arange(levels[0], levels[-1] - length, 0.5)
        counts = np.searchsorted(levels, starts + length) - np.searchsorted(levels, starts)
        sums[row] = counts.size, counts.sum(), (counts.astype(float) ** 2).sum()

    def variance(part: Float[Array, "matrices 3"]) -> float:
        windows, first, second = part.sum(0)
        return float(second / windows - (first / windows) ** 2)

    return jackknife(variance, sums)


def _unitary(length: Values) -> Float[Array, "*shape"]:
    """Σ² for β = 2."""
    phase = 2 * np.pi * np.maximum(length, 1e-12)
    sine, cosine = sici(phase)
    slow = (np.log(phase) + np.euler_gamma + 1 - np.cos(phase) - cosine) / np.pi**2
    return np.asarray(np.maximum(slow + length * (1 - 2 / np.pi * sine), 0.0))
