"""What is said of the updates of one block."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from spectrain.answers.finding import Row
from spectrain.answers.question import Told

RESIDUAL = 0.5
"""‖UᵀU − I‖_F/√r from which an update is called not orthogonal; Muon's five quintic steps leave
0.1–0.35 where no direction is missing."""

SHRUNK = 0.8
"""Share of the intended RMS below which a step is called shrunk."""

ENOUGH = 3
"""Samples that a verdict needs."""


class Verdict(StrEnum):
    """Whether an update is what its optimizer intends."""

    ORTHOGONAL = "orthogonal"
    NOT_ORTHOGONAL = "not orthogonal"
    SHRUNK = "shrunk"
    NOT_MEANT = "not meant to be"
    UNKNOWN = "not enough data"


VERDICTS = {
    Verdict.ORTHOGONAL: Told("=", "nearly an isometry; as long as intended, if that is known"),
    Verdict.NOT_ORTHOGONAL: Told("≠", "‖UᵀU − I‖_F/√r exceeds 0.5"),
    Verdict.SHRUNK: Told("<", "shorter than 0.8 of what was intended"),
    Verdict.NOT_MEANT: Told("–", "its optimizer orthogonalizes nothing of it: not judged"),
    Verdict.UNKNOWN: Told("·", "the records do not suffice"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow(Row):
    """One block; medians over the sampled steps.

    Attributes:
        verdict: whether the update is what is meant.
        spectral: whether its optimizer orthogonalizes it.
        part: whether it is a part of a fused parameter.
        samples: steps with an update of known direction.
        least: smallest singular value over the intended scale.
        most: largest.
        residual: ‖UᵀU − I‖_F/√r at the best scale.
        below_half: share of the singular values below half the intended scale.
        rms: root mean square of the entries.
        rms_ratio: the same over the intended; ``None`` where that is not known.
        clipping: factor by which gradients were scaled before the step.
        clipping_spread: its standard deviation over its mean.
        clipped_share: share of the steps that were.
    """

    verdict: Verdict = Verdict.UNKNOWN
    spectral: bool = False
    part: bool = False
    samples: int = 0
    least: float | None = None
    most: float | None = None
    residual: float | None = None
    below_half: float | None = None
    rms: float | None = None
    rms_ratio: float | None = None
    clipping: float | None = None
    clipping_spread: float | None = None
    clipped_share: float | None = None
