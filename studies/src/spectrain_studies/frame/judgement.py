"""The verdict on a claim, and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """What the data say of a claim."""

    HOLDS = "holds"
    FAILS = "fails"
    UNDECIDED = "undecided"
    UNTESTABLE = "untestable"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was measured for a claim, and the verdict that follows from its criterion.

    Attributes:
        verdict: computed from the data.
        measured: the statistic.
        error: its standard error, or numerical error.
        low: lower end of the interval that the criterion was applied to.
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

    def as_part(self) -> dict[str, Any]:
        """Plain data, as the details of a claim of several parts hold it."""
        names = ("measured", "low", "high", "seeds")
        numbers = {name: getattr(self, name) for name in names}
        note = {"note": self.note} if self.note else {}
        return {"verdict": str(self.verdict), **numbers, **note, **self.details}


def undecided(
    note: str, *, seeds: int | None = None, details: Mapping[str, Any] | None = None
) -> Judgement:
    """The data at hand decide nothing, and why."""
    return Judgement(Verdict.UNDECIDED, seeds=seeds, note=note, details=details or {})


def untestable(note: str) -> Judgement:
    """No data could decide it, and why."""
    return Judgement(Verdict.UNTESTABLE, note=note)


def failed(problems: Sequence[str]) -> str:
    """What to say of cases that failed."""
    return f"{len(problems)} cases failed: {problems[0]}" if problems else ""
