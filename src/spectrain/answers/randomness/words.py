"""What the finding on randomness says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median

from spectrain.answers.finding import Sign
from spectrain.answers.phrases import among, join, missing_data, plural
from spectrain.answers.randomness.bulk_worth import BulkWorth
from spectrain.answers.randomness.row import FEWEST, RandomnessRow, Verdict

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

Rows = Sequence[RandomnessRow]


def sentence(rows: Rows, unjudged: Rows = ()) -> str:
    """The answer in one sentence, from the rows that were judged; else why none was."""
    if not rows:
        return missing_data(unjudged)
    counts = Counter(row.tail for row in rows)
    parts = join([f"{counts[tail]:,} {tail}" for tail in Verdict if counts[tail]])
    shares = [row.bulk_fraction for row in rows if row.bulk_fraction]
    if not shares:
        return f"Of {plural(len(rows), 'block')}: {parts}."
    whose = f"In the median of {plural(len(rows), 'block')}"
    if len(shares) < len(rows):
        whose = f"Of {plural(len(rows), 'block')}, {len(shares):,} have a bulk; in their median"
    return f"{whose} {median(shares):.0%} of the eigenvalues belong to a random bulk ({parts})."


def statement(rows: Rows, worth: BulkWorth, unjudged: Rows = ()) -> str:
    """The answer in words, from the rows that were judged."""
    random = [row for row in rows if row.tail is Verdict.NONE]
    named = f" Wholly random: {among(random, rows)}." if random else ""
    return f"{sentence(rows, unjudged)}{named}{_width(rows)}{_zeros(rows)}{_worth(worth)}"


def sign(rows: Rows, worth: BulkWorth) -> Sign:
    """What the answer asks of its reader."""
    if not rows:
        return Sign.NOT_ENOUGH_DATA
    if _can_go(worth):
        return Sign.ACT
    odd = {Verdict.EQUAL, Verdict.SPARSE, Verdict.NONE}
    return Sign.WATCH if any(row.tail in odd for row in rows) else Sign.GOOD


def action(rows: Rows, worth: BulkWorth) -> str:
    """The one thing to do."""
    if not rows:
        return (
            f"Look at spectra of matrices with {FEWEST} singular values or more: adapters, say, "
            "once they are merged into their weights (spectrain inspect)."
        )
    first = next(advice(rows, worth), None)
    if first:
        return first
    return "Ask the loss what the random part is worth: spectrain.monitor.measure_bulk."


def _width(rows: Rows) -> str:
    known = [row for row in rows if row.width is not None]
    if not known:
        return ""
    middle = median(row.width for row in known if row.width is not None)
    text = (
        f" The variance of the bulk is {middle:.2f} times that at step {known[0].width_since} "
        "(median)"
    )
    shares = [row.brownian for row in known if row.brownian is not None]
    if not shares:
        return f"{text}."
    share = median(shares)
    amount = f"{share:.0%} of the gain" if share <= 1 else f"all of the gain and more ({share:.2g})"
    return f"{text}; updates of that size would make {amount} if they were noise alone."


def _zeros(rows: Rows) -> str:
    dead = [row for row in rows if row.zeros]
    sparse = [row for row in rows if row.tail is Verdict.SPARSE]
    text = ""
    if dead:
        most = max(dead, key=lambda row: (row.zeros or 0) / min(row.shape))
        text += (
            f" Zero singular values, taken out before the fit, in {among(dead, rows)}: up to "
            f"{most.zeros} of {min(most.shape)}."
        )
    if sparse:
        share = median(row.zero_entries or 0.0 for row in sparse)
        text += (
            f" Pruned or sparse, {share:.0%} of the entries are zero (median): "
            f"{among(sparse, rows)}; their spikes may be those of the pattern of zeros."
        )
    return text


def _worth(worth: BulkWorth) -> str:
    if worth.loss is None or not worth.changes:
        return ""
    changes = [
        f"{_signed(*worth.changes[name])} {words}"
        for name, words in TOLD.items()
        if name in worth.changes
    ]
    return f" At step {worth.step} the loss of {worth.loss:.3g} changes by {join(changes)}."


def _signed(value: float, error: float | None) -> str:
    return f"{value:+.3g}" if error is None else f"{value:+.3g} ± {error:.1g}"


def _can_go(worth: BulkWorth) -> bool:
    truncated = worth.changes.get("bulk_truncated")
    if truncated is None or not worth.loss:
        return False
    return truncated[0] + 2 * (truncated[1] or 0.0) < LITTLE * worth.loss


def advice(rows: Rows, worth: BulkWorth) -> Iterator[str]:
    """What to do about it; nothing where the loss without the bulk was not measured."""
    truncated = worth.changes.get("bulk_truncated")
    if not rows or truncated is None or not worth.loss:
        return
    if _can_go(worth):
        yield "The random bulk can go: keep the components that stand apart (a low-rank matrix)."
        return
    yield (
        "Do not truncate the bulk: the spectrum cannot tell it from noise, but the loss can "
        f"({truncated[0] / worth.loss:+.1%})."
    )
    tuned, same = worth.changes.get("bulk_removed_finetuned"), worth.changes.get("finetuned")
    if tuned and same and tuned[0] - same[0] < LITTLE * worth.loss:
        yield "After finetuning hardly anything is missing: remove it and train on."


def limits(rows: Rows, worth: BulkWorth) -> Iterator[str]:
    """What the answer does not cover."""
    reasons = Counter(row.reason for row in rows if row.tail is None)
    for reason, count in reasons.items():
        yield f"{count} not judged: {reason}"
    widths = Counter(row.width_reason for row in rows if row.width_reason is not None)
    for reason, count in widths.items():
        yield f"Width of the bulk not given, {plural(count, 'block')}: {reason}."
    if any(row.tail is Verdict.BENT and row.bulk_fraction is not None for row in rows):
        yield (
            "Where the law is refuted, the error of the bulk's share includes the law's distance "
            "from the spectrum; where that exceeds 0.1, no share is given."
        )
    yield (
        "An exponent alone is no evidence of a power law: some tail fits best in every spectrum, "
        "and its error ignores that its start was searched for."
    )
    if worth.loss is None:
        yield (
            "A matrix may look random to its spectrum and still hold what was learned: only the "
            "singular values are compared, not the vectors. spectrain.monitor.measure_bulk asks "
            "the loss."
        )
