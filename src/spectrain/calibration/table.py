"""Stored rates, and their table for the documents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from json import dumps, loads
from pathlib import Path

from spectrain.calibration.rates import Rate


def read(file: Path) -> list[Rate]:
    """Rates that were stored; none where there is no such file."""
    return [Rate(**row) for row in loads(file.read_text("utf-8"))] if file.exists() else []


def write(rates: Iterable[Rate], file: Path) -> None:
    """Store rates in place of those of the same kinds of runs."""
    kept = {(rate.question, rate.claim, rate.name): rate for rate in [*read(file), *rates]}
    rows = [asdict(rate) for _, rate in sorted(kept.items())]
    file.write_text(dumps(rows, indent=1, ensure_ascii=False) + "\n", "utf-8")


def table(rates: Sequence[Rate]) -> str:
    """Markdown: a row a kind of run, false positives and power in columns of their own.

    Example:
        >>> print(table([Rate("rank", "level ranks", "a rank moves", False, 200, 6)]))
        | question | claim | runs | made where false | made where true |
        | --- | --- | --- | --- | --- |
        | rank | a rank moves | 200 of level ranks | 3.0 % (1.1 to 6.4) | |
        <BLANKLINE>
    """
    headings = ("question", "claim", "runs", "made where false", "made where true")
    lines = [" | ".join(headings), " | ".join(["---"] * len(headings))]
    for rate in rates:
        low, high = rate.interval
        share = f"{rate.share:.1%} ({100 * low:.1f} to {100 * high:.1f})".replace("%", " %")
        cells = ("", share) if rate.true else (share, "")
        lines.append(" | ".join([rate.question, rate.claim, f"{rate.runs} of {rate.name}", *cells]))
    return "".join(f"| {line} |\n".replace("  |", " |") for line in lines)
