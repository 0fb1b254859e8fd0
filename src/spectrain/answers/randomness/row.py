"""What is said of the spectrum of one weight matrix."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from spectrain.answers.finding import Evidence, Row
from spectrain.answers.question import Told

FEWEST = 16
"""Eigenvalues, neither zero nor repeated, below which nothing is fitted."""


class Verdict(StrEnum):
    """What a spectrum is beside a random bulk."""

    NONE = "random"
    SPIKES = "random with spikes"
    MOST = "mostly spikes"
    BENT = "not random"
    HEAVY = "without a bulk"
    EQUAL = "equal values"
    SPARSE = "sparse"
    UNKNOWN = "not enough data"


VERDICTS = {
    Verdict.NONE: Told("▒", "nothing stands apart, and the law of a random matrix is not refuted"),
    Verdict.SPIKES: Told(
        "▚", "fewer than half of the eigenvalues stand apart, and the law fits the rest"
    ),
    Verdict.MOST: Told("▞", "at least half stand apart, and the law fits the rest"),
    Verdict.BENT: Told("█", "the law is refuted"),
    Verdict.HEAVY: Told("▓", "no two eigenvalues are left that do not stand apart"),
    Verdict.EQUAL: Told("=", "at least half are one value repeated, as in an orthogonal matrix"),
    Verdict.SPARSE: Told(
        "░", "many entries are zero, as after pruning; the law is that of dense matrices"
    ),
    Verdict.UNKNOWN: Told("·", "the records do not suffice"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement(Evidence):
    """The random part of one spectrum.

    Attributes:
        tail: the class of the spectrum.
        bulk_fraction: share of all eigenvalues that belong to a random bulk, at most 1; ``None``
            where the law is so wrong that there is none to count.
        bulk_fraction_error: standard error; where the law is refuted also its distance from the
            spectrum, which is then the larger part.
        spikes: eigenvalues that stand significantly apart.
        zeros: numerical zeros, which are taken out before.
        repeated: eigenvalues that are one value repeated, likewise.
        variance: σ² of the random part, the variance of its entries times the longer side.
        variance_error: standard error.
        p_value: of the bulk against the law.
        distance: Kolmogorov distance between bulk and law.
        exponent: of the power law that fits the largest eigenvalues best; ``None`` where they lie
            too close together for any.
        exponent_error: standard error.
        exponent_count: number of eigenvalues that it was fitted to.
    """

    tail: Verdict
    bulk_fraction: float | None = None
    bulk_fraction_error: float | None = None
    spikes: int = 0
    zeros: int = 0
    repeated: int = 0
    variance: float | None = None
    variance_error: float | None = None
    p_value: float | None = None
    distance: float | None = None
    exponent: float | None = None
    exponent_error: float | None = None
    exponent_count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomnessRow(Row):
    """One weight matrix: the fields of its :class:`Judgement`, and what time and loss add.

    Attributes:
        verdict: the class of the spectrum.
        tail: the same; ``None`` where nothing is said.
        step: of the spectrum.
        bulk_fraction, bulk_fraction_error, spikes, zeros, repeated, variance, variance_error,
            p_value, distance, exponent, exponent_error, exponent_count: see :class:`Judgement`.
        zero_entries: share of zeros among the entries, dead rows and columns left out.
        width: variance of the bulk over that at the first recorded step.
        width_error: standard error.
        width_since: that step.
        width_reason: why there is no width although two steps are recorded.
        brownian: share of the bulk's gain in variance that updates of the measured size would make
            if they were noise alone; above 1 where the weights are held back.
        loss_without_bulk: change of the loss without the block's bulk, where measured.
    """

    verdict: Verdict = Verdict.UNKNOWN
    tail: Verdict | None = None
    step: int | None = None
    bulk_fraction: float | None = None
    bulk_fraction_error: float | None = None
    spikes: int | None = None
    zeros: int | None = None
    repeated: int | None = None
    zero_entries: float | None = None
    variance: float | None = None
    variance_error: float | None = None
    p_value: float | None = None
    distance: float | None = None
    exponent: float | None = None
    exponent_error: float | None = None
    exponent_count: int | None = None
    width: float | None = None
    width_error: float | None = None
    width_since: int | None = None
    width_reason: str | None = None
    brownian: float | None = None
    loss_without_bulk: float | None = None
