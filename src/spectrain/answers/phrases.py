"""Small pieces of plain English for statements and advice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol, runtime_checkable


@runtime_checkable
class HasRole(Protocol):
    """A row, of whatever question."""

    @property
    def role(self) -> str:
        """Of the block."""
        ...


@runtime_checkable
class HasReason(Protocol):
    """A row, of whatever question."""

    @property
    def reason(self) -> str | None:
        """Why something could not be said."""
        ...


def missing_data(rows: Sequence[HasReason]) -> str:
    """Why nothing could be said of any block: the reason that most of them have.

    Example:
        >>> from types import SimpleNamespace
        >>> missing_data([])
        'Not enough data for any block: the run has no blocks.'
        >>> missing_data([SimpleNamespace(reason=f"{n} samples, 8 are needed") for n in (5, 6, 6)])
        'Not enough data for any block, mostly for this reason: 6 samples, 8 are needed.'
    """
    reasons = Counter(row.reason for row in rows if row.reason)
    if not reasons:
        return "Not enough data for any block: the run has no blocks."
    mostly = ", mostly for this reason" if len(reasons) > 1 else ""
    return f"Not enough data for any block{mostly}: {reasons.most_common(1)[0][0]}."


def plural(number: int, noun: str) -> str:
    """The number with its noun.

    Example:
        >>> plural(1, "block"), plural(1200, "block")
        ('1 block', '1,200 blocks')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def join(parts: Sequence[str]) -> str:
    """An enumeration.

    Example:
        >>> join(["q", "k", "v"])
        'q, k and v'
    """
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def among(chosen: Sequence[HasRole], rows: Sequence[HasRole]) -> str:
    """Blocks by role: which roles wholly, and how many of the others.

    Example:
        >>> from types import SimpleNamespace
        >>> rows = [SimpleNamespace(role=role) for role in ("head", "mlp.in", "mlp.in")]
        >>> among(rows[:2], rows)
        'head, mlp.in (1 of 2)'
    """
    total = Counter(row.role for row in rows)
    part = Counter(row.role for row in chosen)
    return ", ".join(
        role if count == total[role] else f"{role} ({count} of {total[role]})"
        for role, count in part.items()
    )
