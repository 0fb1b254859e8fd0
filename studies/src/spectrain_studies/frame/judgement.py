"""Verdicts out of estimates: an interval beside a limit that was fixed beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from spectrain.noise.estimate import Estimate


class Verdict(StrEnum):
    """What the data say of a claim."""

    HOLDS = "holds"
    FAILS = "fails"
    PARTLY = "partly"
    UNDECIDED = "undecided"
    UNTESTABLE = "untestable"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was measured for a claim, and the verdict that follows from its criterion.

    Attributes:
        verdict: computed from the data.
        measured: the statistic.
        error: its standard error, or numerical error.
        low: lower end of the interval that the criterion was held against.
        high: upper end.
        seeds: independent repetitions behind it.
        note: what a reader of the verdict must know besides.
        details: further numbers, by name.
    """

    verdict: Verdict
    measured: float | None = None
    error: float | None = None
    low: float | None = None
    high: float | None = None
    seeds: int | None = None
    note: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


def above(
    measured: Estimate | float,
    limit: float,
    *,
    seeds: int | None = None,
    note: str = "",
    details: Mapping[str, Any] | None = None,
) -> Judgement:
    """Claim "the statistic lies above ``limit``".

    Holds where the whole interval does, fails where none of it does, else undecided. A plain number
    is an interval of no width: use it for what has no sampling error.

    Example:
        >>> from spectrain.noise.estimate import symmetric
        >>> str(above(symmetric(2.0, 0.1, replicas=10), 1.0).verdict)
        'holds'
        >>> str(above(symmetric(1.1, 0.1, replicas=10), 1.0).verdict), str(above(0.9, 1.0).verdict)
        ('undecided', 'fails')
    """
    return within(measured, limit, float("inf"), seeds=seeds, note=note, details=details)


def below(
    measured: Estimate | float,
    limit: float,
    *,
    seeds: int | None = None,
    note: str = "",
    details: Mapping[str, Any] | None = None,
) -> Judgement:
    """Claim "the statistic lies below ``limit``"; see :func:`above`."""
    return within(measured, float("-inf"), limit, seeds=seeds, note=note, details=details)


def within(
    measured: Estimate | float,
    low: float,
    high: float,
    *,
    seeds: int | None = None,
    note: str = "",
    details: Mapping[str, Any] | None = None,
) -> Judgement:
    """Claim "the statistic lies between ``low`` and ``high``"; see :func:`above`."""
    if isinstance(measured, Estimate):
        value, error, lower, upper = measured.value, measured.error, measured.low, measured.high
        seeds = measured.replicas if seeds is None else seeds
        if value is None or lower is None or upper is None:
            return undecided(measured.reason or "no interval", seeds=seeds, details=details)
    else:
        value, error, lower, upper = float(measured), None, float(measured), float(measured)
    if value != value:
        return undecided(note or "the statistic is not a number", seeds=seeds, details=details)
    inside, outside = low <= lower and upper <= high, upper < low or high < lower
    verdict = Verdict.HOLDS if inside else Verdict.FAILS if outside else Verdict.UNDECIDED
    return Judgement(verdict, value, error, lower, upper, seeds, note, details or {})


def combined(parts: Mapping[str, Judgement], *, note: str = "") -> Judgement:
    """A claim of several parts: holds or fails where all do, partly where some hold and some fail.

    The measured value is that of the part that speaks most against the claim; all are in details.
    """
    order = (Verdict.FAILS, Verdict.UNTESTABLE, Verdict.UNDECIDED, Verdict.PARTLY, Verdict.HOLDS)
    verdicts = {part.verdict for part in parts.values()}
    worst = min(parts.values(), key=lambda part: order.index(part.verdict))
    verdict = worst.verdict
    if len(verdicts) > 1 and verdict is Verdict.FAILS:
        verdict = Verdict.PARTLY if Verdict.HOLDS in verdicts else Verdict.UNDECIDED
    details = {
        name: {"verdict": str(part.verdict), "measured": part.measured, **part.details}
        for name, part in parts.items()
    }
    seeds = [part.seeds for part in parts.values() if part.seeds is not None]
    return Judgement(
        verdict,
        worst.measured,
        worst.error,
        worst.low,
        worst.high,
        min(seeds, default=None),
        note,
        details,
    )


def undecided(
    note: str, *, seeds: int | None = None, details: Mapping[str, Any] | None = None
) -> Judgement:
    """The data at hand settle nothing, and why."""
    return Judgement(Verdict.UNDECIDED, seeds=seeds, note=note, details=details or {})


def untestable(note: str) -> Judgement:
    """No data could settle it, and why."""
    return Judgement(Verdict.UNTESTABLE, note=note)


def failed(problems: Sequence[str]) -> str:
    """What to say of cases that failed."""
    return f"{len(problems)} cases failed: {problems[0]}" if problems else ""
