"""What is said of the steps of one block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from spectrain.answers.finding import Group, Row
from spectrain.answers.question import Told


class Verdict(StrEnum):
    """On which side of the criterion a block lies: a diagnostic, which routes nothing."""

    SPECTRAL = "spectral"
    EUCLIDEAN = "euclidean"
    OPEN = "open"
    NO_MATRIX = "no matrix"
    UNKNOWN = "not enough data"


VERDICTS = {
    Verdict.SPECTRAL: Told("▲", "the interval of nr/st lies at 2 or above"),
    Verdict.EUCLIDEAN: Told("■", "it lies at ½ or below"),
    Verdict.OPEN: Told("○", "the one-step guarantees do not decide"),
    Verdict.NO_MATRIX: Told("–", "a gain, whose spectral step is a sign step: not judged"),
    Verdict.UNKNOWN: Told("·", "the records do not suffice"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DescentRow(Row):
    """One block.

    Attributes:
        verdict: what the interval of the ratio says.
        ratio: nr(G)/st(A), median over the last third of the samples.
        low: lower end of its 95 % interval.
        high: upper end.
        course: how the ratio went through training, in words.
        crossings: sampled steps at which it crossed 2.
        nuclear_rank: of the gradient, median over the last third.
        corrected: whether it is that of the signal, with sampling noise taken out; if not, it is an
            upper value.
        stable_rank: of what feeds the block, likewise.
        activation: which activation that is, ``criterion`` or ``input``.
        columns: over how many columns its stable rank was taken.
        samples: of the ratio.
        window: first and last step of those that were judged.
        note: what must be known of blocks of this role.
        granularity: the favoured cut of the gradient.
        granularity_gain: its guarantee over that of the next.
        granularity_low: lower end of the 95 % interval of the gain.
        granularities: guarantee of every cut.
        measured: decrease of one spectral over that of one Euclidean step, where measured.
        measured_step: at which step.
        decrease_spectral: of the loss.
        decrease_euclidean: of the loss.
    """

    verdict: Verdict = Verdict.UNKNOWN
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    course: str | None = None
    crossings: tuple[int, ...] = ()
    nuclear_rank: float | None = None
    corrected: bool = False
    stable_rank: float | None = None
    activation: str | None = None
    columns: int | None = None
    samples: int = 0
    window: tuple[int, int] | None = None
    note: str | None = None
    granularity: str | None = None
    granularity_gain: float | None = None
    granularity_low: float | None = None
    granularities: Mapping[str, float] | None = None
    measured: float | None = None
    measured_step: int | None = None
    decrease_spectral: float | None = None
    decrease_euclidean: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DescentGroup(Group):
    """The judged blocks of one role.

    Attributes:
        ratio: of the median block.
        least: smallest ratio.
        most: largest.
        spectral: blocks of that verdict.
        euclidean: likewise.
        open: likewise.
    """

    ratio: float
    least: float
    most: float
    spectral: int
    euclidean: int
    open: int
