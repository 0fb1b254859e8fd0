"""What the finding on randomness says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from enum import StrEnum
from statistics import median
from typing import Any

from spectrain.answers.phrases import among, join, plural
from spectrain.answers.question import Told
from spectrain.answers.randomness.bulk_worth import BulkWorth

LITTLE = 0.01
"""A share of the loss; a change below it is called little."""

TOLD = {
    "bulk_truncated": "without its random bulk",
    "bulk_randomised": "with another random bulk in its place",
    "pruned": "with as much energy removed by zeroing small entries",
    "spikes_removed": "with the bulk alone",
    "bulk_removed_finetuned": "without its bulk and finetuned",
    "finetuned": "finetuned as it was",
}


class Tail(StrEnum):
    """What is left of a spectrum beside a random bulk."""

    NONE = "random"
    SPIKES = "random with spikes"
    BENT = "not random"
    HEAVY = "without a bulk"


VERDICTS = {
    Tail.NONE: Told("▒", "the Marchenko-Pastur law is not refuted, and nothing stands apart"),
    Tail.SPIKES: Told("▓", "likewise, beside some eigenvalues that stand apart"),
    Tail.BENT: Told("█", "the law is refuted"),
    Tail.HEAVY: Told("▲", "nearly every eigenvalue stands apart"),
}


def statement(rows: Sequence[Any], worth: BulkWorth) -> str:
    """The answer in words, from the rows that were judged."""
    if not rows:
        return "No weight spectrum was long enough for a fit."
    counts = Counter(row["tail"] for row in rows)
    parts = [f"{counts[tail]} {tail}" for tail in Tail if counts[tail]]
    random = [row for row in rows if row["tail"] is Tail.NONE]
    named = f" Wholly random: {among(random, rows)}." if random else ""
    middle = median(row["bulk_fraction"] for row in rows)
    return (
        f"In the median of {plural(len(rows), 'block')} {middle:.0%} of the eigenvalues belong to "
        f"a random bulk ({join(parts)}).{named}{_width(rows)}{_worth(worth)}"
    )


def _width(rows: Sequence[Any]) -> str:
    known = [row for row in rows if row["width"] is not None]
    if not known:
        return ""
    middle = median(row["width"] for row in known)
    return (
        f" The variance of the bulk is {middle:.2f} times that at step {known[0]['width_since']} "
        "(median)."
    )


def _worth(worth: BulkWorth) -> str:
    if worth.loss is None or not worth.changes:
        return ""
    told = [
        f"{_signed(*worth.changes[name])} {words}"
        for name, words in TOLD.items()
        if name in worth.changes
    ]
    return f" At step {worth.step} the loss of {worth.loss:.4g} changes by {join(told)}."


def _signed(value: float, error: float | None) -> str:
    return f"{value:+.3g}" if error is None else f"{value:+.3g} ± {error:.1g}"


def advice(rows: Sequence[Any], worth: BulkWorth) -> Iterator[str]:
    """What to do about it; nothing where the loss without the bulk was not measured."""
    truncated = worth.changes.get("bulk_truncated")
    if not rows or truncated is None or not worth.loss:
        return
    change, error = truncated[0], truncated[1] or 0.0
    if change + 2 * error < LITTLE * worth.loss:
        yield "The random bulk can go: keep the components that stand apart (a low-rank matrix)."
        return
    yield (
        "Do not truncate the bulk: the spectrum cannot tell it from noise, but the loss can "
        f"({change / worth.loss:+.1%})."
    )
    tuned, same = worth.changes.get("bulk_removed_finetuned"), worth.changes.get("finetuned")
    if tuned and same and tuned[0] - same[0] < LITTLE * worth.loss:
        yield "After finetuning hardly anything is missing: remove it and train on."


def limits(rows: Sequence[Any], worth: BulkWorth) -> Iterator[str]:
    """What the answer does not cover."""
    reasons = Counter(row["reason"] for row in rows if row["tail"] is None)
    for reason, count in reasons.items():
        yield f"{count} not judged: {reason}"
    yield (
        "An exponent alone is no evidence of a power law: some tail fits best in every spectrum, "
        "and its error does not know that its start was searched for."
    )
    if worth.loss is None:
        yield (
            "A matrix may look random to its spectrum and still hold what was learned: only the "
            "singular values are compared, not the vectors. spectrain.monitor.measure_bulk asks "
            "the loss."
        )
