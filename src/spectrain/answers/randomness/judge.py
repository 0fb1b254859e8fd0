"""The random part of one spectrum: what is taken out, what is fitted, and what it is called."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import hypot
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from spectrain.answers.randomness.row import FEWEST, Judgement, Verdict
from spectrain.core import InputError
from spectrain.rmt import count_spikes, fit_marchenko_pastur, fit_power_law, set_apart

LEVEL = 0.04
"""A bulk is called random unless this test level refutes it: with the 1 % of the test for spikes,
one truly random matrix in twenty is called otherwise. A refutation needs 24 replicates."""

SPARSE = 0.25
"""Share of zero entries above which a matrix is called sparse: the tests of edge and bulk are those
of dense matrices. Of iid Gaussian 128 × 64 matrices 1 in 40 is not called random, 2 with a fifth of
the entries removed, 7 with half, and all with nine tenths."""

NEAR = 0.1
"""Distance between bulk and law up to which a refuted law still counts eigenvalues."""

STEEPEST = 100.0
"""Exponent above which the largest eigenvalues are no tail: they agree within a few per cent."""

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Zeros:
    """What of a matrix is zero by its entries.

    Attributes:
        rows: that are wholly zero.
        columns: likewise.
        entries: share of zeros among the others.
    """

    rows: int = 0
    columns: int = 0
    entries: float = 0.0


def judge_spectrum(
    eigenvalues: Float[Array, " n"],
    shape: tuple[int, int],
    *,
    generator: torch.Generator,
    replicates: int = 99,
    zeros: Zeros | None = None,
) -> Judgement:
    """The random part of one spectrum.

    Dead rows and columns are left out of the shape, so that the rest of a random matrix stays one.
    What is zero or repeated exactly belongs to no bulk (:func:`spectrain.rmt.set_apart`). Of the
    rest, spikes are counted and the others fitted.

    Args:
        eigenvalues: σ² of the matrix, with zeros.
        shape: (m, n) of the matrix.
        generator: source of the simulated matrices.
        replicates: how many.
        zeros: what of the entries is zero; without it zero eigenvalues are taken for dead columns.

    Raises:
        InputError: the eigenvalues are not finite, all are zero, or too few are left for a fit.

    Example:
        >>> from spectrain.rmt.ensembles import laguerre_eigenvalues
        >>> generator = torch.Generator().manual_seed(0)
        >>> (levels,) = laguerre_eigenvalues((64, 32), count=1, generator=generator)
        >>> judgement = judge_spectrum(levels, (64, 32), generator=generator, replicates=19)
        >>> str(judgement.tail), judgement.spikes
        ('random', 0)
    """
    dead = zeros or Zeros()
    total = min(shape)
    left = shape[0] - dead.rows, shape[1] - dead.columns
    sides = max(left), min(left)
    values = np.sort(np.asarray(eigenvalues, dtype=np.float64))[total - max(sides[1], 1) :]
    if not np.isfinite(values).all() or not values[-1] > 0:
        raise InputError(
            "the eigenvalues are zero or not finite", remedy="a zero matrix has no random bulk"
        )
    levels = set_apart(values, (sides[0], len(values)))
    count = len(levels.rest)
    base = Judgement(
        tail=Verdict.EQUAL,
        bulk_fraction=0.0,
        zeros=total - count - levels.repeated,
        repeated=levels.repeated,
        **_exponent(levels.rest),
    )
    equal = 2 * levels.repeated >= len(values) - levels.zeros
    if count < FEWEST:
        if equal:
            return base
        raise InputError(
            f"{count} singular values that are neither zero nor repeated are too few",
            remedy=f"a fit needs {FEWEST}",
        )
    spikes = count_spikes(levels.rest, levels.shape).count
    if spikes > count - 2:
        tail = Verdict.EQUAL if equal else Verdict.HEAVY
        return replace(base, tail=tail, spikes=spikes)
    fit = fit_marchenko_pastur(
        levels.rest, levels.shape, generator=generator, replicates=replicates
    )
    random = fit.p_value > LEVEL
    share, error = min(fit.area.value, 1.0) * count / total, fit.area.error * count / total
    if not random:
        error = hypot(error, fit.distance * count / total)
    close = random or fit.distance <= NEAR
    return replace(
        base,
        tail=_tail(random, spikes, count, equal=equal, sparse=dead.entries > SPARSE),
        bulk_fraction=share if close else None,
        bulk_fraction_error=error if close else None,
        spikes=spikes,
        variance=fit.variance.value if close else None,
        variance_error=fit.variance.error if close else None,
        p_value=fit.p_value,
        distance=fit.distance,
    )


def _tail(random: bool, spikes: int, count: int, *, equal: bool, sparse: bool) -> Verdict:
    if equal:
        return Verdict.EQUAL
    if sparse:
        return Verdict.SPARSE
    if not random:
        return Verdict.BENT
    if 2 * spikes >= count:
        return Verdict.MOST
    return Verdict.SPIKES if spikes else Verdict.NONE


def _exponent(levels: Float[Array, " n"]) -> dict[str, Any]:
    """The power law that fits the largest of them best, where they span anything."""
    if len(levels) < 2 or levels[0] == levels[-1]:
        return {}
    law = fit_power_law(levels)
    if law.law.exponent > STEEPEST:
        return {}
    return {
        "exponent": law.law.exponent,
        "exponent_error": law.error,
        "exponent_count": law.count,
    }
