"""A finding: the answer to one question about one run, with its evidence and its limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """How far a question is settled by the records at hand."""

    ANSWERED = "answered"
    OPEN = "open"
    NOT_ENOUGH_DATA = "not enough data"


class Label(StrEnum):
    """What kind of knowledge an answer rests on."""

    THEOREM = "theorem"
    HEURISTIC = "heuristic"
    TEST = "test"


class Verdict(StrEnum):
    """What is said of one block: which step is favoured, where its rank goes, how its update is."""

    SPECTRAL = "spectral"
    EUCLIDEAN = "euclidean"
    OPEN = "open"
    FALLING = "falling"
    RISING = "rising"
    NO_TREND = "no trend"
    ORTHOGONAL = "orthogonal"
    NOT_ORTHOGONAL = "not orthogonal"
    SHRUNK = "shrunk"
    NOISE = "mostly noise"
    SIGNAL = "mostly signal"
    EQUILIBRIUM = "equilibrium"
    APPROACHING = "approaching"
    SIGNAL_DRIVEN = "signal-driven"
    UNDECIDED = "undecided"
    UNKNOWN = "not enough data"


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to one question about one run.

    Attributes:
        name: the question's short name, such as ``descent``.
        question: the question in full.
        status: how far it is settled.
        statement: the answer in plain words.
        confidence: how sure the answer is, and by which method.
        label: theorem, heuristic or statistical test.
        rows: the evidence, one row a block.
        groups: the same evidence by role or by depth.
        advice: what to do about it.
        limits: what the answer does not cover, and what could not be said for lack of data.

    Example:
        >>> finding = Finding("rank", "Is it falling?", Status.OPEN, "No trend.", "", Label.TEST)
        >>> finding.to_dict()["status"]
        'open'
    """

    name: str
    question: str
    status: Status
    statement: str
    confidence: str
    label: Label
    rows: tuple[Mapping[str, Any], ...] = ()
    groups: tuple[Mapping[str, Any], ...] = ()
    advice: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        plain = asdict(self)
        plain["status"], plain["label"] = str(self.status), str(self.label)
        return plain
