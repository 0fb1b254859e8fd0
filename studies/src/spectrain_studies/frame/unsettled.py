"""Claims that the ledger leaves undecided: what would settle each, and what that costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

from spectrain_studies.frame.document import matching
from spectrain_studies.frame.judgement import Verdict
from spectrain_studies.frame.ledger import cell, measured

FILE = "unsettled.yaml"
"""Beside the ``study.py`` of every study."""
NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Unsettled:
    """What would settle some claims.

    Attributes:
        claims: patterns of their names.
        by: what would settle them, in words.
        minutes: estimated time of one core.
    """

    claims: tuple[str, ...]
    by: str
    minutes: float


def read_unsettled(study: str) -> tuple[Unsettled, ...]:
    """What would settle the open claims of a study; nothing where there is no such file.

    Example:
        >>> all(each.minutes > 0 for each in read_unsettled("noise"))
        True
    """
    file = Path(__file__).parents[1] / study / FILE
    rows = (yaml.safe_load(file.read_text("utf-8")) or ()) if file.is_file() else ()
    return tuple(Unsettled(tuple(row["claims"]), row["by"], row["minutes"]) for row in rows)


def open_claims(
    claims: Iterable[str], rows: Mapping[str, Mapping[str, Any]]
) -> dict[str, Mapping[str, Any] | None]:
    """Claims that the ledger has undecided, with their entries, and those that it lacks.

    Example:
        >>> open_claims(["a", "b", "c"], {"a": {"verdict": "holds"}, "b": {"verdict": "undecided"}})
        {'b': {'verdict': 'undecided'}, 'c': None}
    """
    entries = ((name, rows.get(name)) for name in claims)
    return {n: row for n, row in entries if row is None or row["verdict"] == Verdict.UNDECIDED}


def unsettled_table(
    known: Mapping[str, Sequence[Unsettled]],
    rows: Mapping[str, Mapping[str, Any]],
    claims: Iterable[str],
) -> str:
    """A row for each open claim: what is known of it, what would settle it, and the cost.

    Args:
        known: what would settle the open claims, by study.
        rows: entries of the ledgers by claim.
        claims: ids of all claims.
    """
    left = open_claims(claims, rows)
    lines = ["| claim | now | what would settle it | core-minutes |", "| --- | --- | --- | --- |"]
    for study, each in ((study, each) for study, listed in known.items() for each in listed):
        for name in dict.fromkeys(chain(*matching(each.claims, study, left).values())):
            row = left[name]
            now = NOT_RUN if row is None else f"{row['verdict']}: {measured(row)}"
            lines.append(f"| `{name}` | {cell(now)} | {cell(each.by)} | {each.minutes:g} |")
    return "\n".join([*lines, ""])
