"""The descent finding in plain words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from spectrain.answers.descent.granularity import Granularity
from spectrain.answers.descent.row import DescentRow, Verdict
from spectrain.answers.phrases import among, join, plural
from spectrain.descent import CLEAR

Rows = Sequence[DescentRow]


def statement(rows: Rows) -> str:
    """How many blocks the criterion decides, and which way."""
    count = Counter(row.verdict for row in rows)
    unknown = count.pop(Verdict.UNKNOWN, 0)
    if not count:
        missing = (
            join(sorted({row.reason for row in rows if row.reason})) or "the run has no blocks"
        )
        return f"Not enough data for any block: {missing}."
    told = {
        Verdict.SPECTRAL: "the spectral step",
        Verdict.EUCLIDEAN: "the Euclidean step",
        Verdict.OPEN: "neither",
    }
    if len(count) == 1 and not unknown and len(rows) > 1:
        (only,) = count
        return f"In all {len(rows):,} blocks the criterion favours {told[only]}."
    parts = [f"{text} in {count[verdict]:,}" for verdict, text in told.items() if count[verdict]]
    missing = f" (not enough data for {unknown:,})" if unknown else ""
    return f"Of {plural(len(rows), 'block')}{missing}, the criterion favours {join(parts)}."


def confidence(judged: Rows) -> str:
    """What the intervals are."""
    if not judged:
        return ""
    windows = [row.window for row in judged if row.window]
    first, last = min(start for start, _ in windows), max(end for _, end in windows)
    return (
        "A block is decided only where the whole 95 % interval of its median ratio lies at 2 or "
        f"above, or at ½ or below (moving-block bootstrap over steps {first:,} to {last:,})."
    )


def advice(rows: Rows) -> Iterator[str]:
    """What to do: by verdict, by granularity, and by what was measured."""
    judged = [row for row in rows if row.verdict != Verdict.UNKNOWN]
    chosen = {
        verdict: [row for row in judged if row.verdict == verdict]
        for verdict in (Verdict.SPECTRAL, Verdict.EUCLIDEAN, Verdict.OPEN)
    }
    if those := chosen[Verdict.SPECTRAL]:
        yield f"Candidates for spectral updates such as Muon: {among(those, judged)}."
    if those := chosen[Verdict.EUCLIDEAN]:
        yield f"Leave to Euclidean updates: {among(those, judged)}."
    if those := chosen[Verdict.OPEN]:
        yield f"The criterion does not decide {among(those, judged)}: train both ways to know."
    faded = [row for row in judged if row.crossings and row.ratio and row.ratio < CLEAR]
    if faded:
        last = max(row.crossings[-1] for row in faded)
        yield (
            f"In {among(faded, judged)} the ratio fell below 2 during training (the last by step "
            f"{last:,}): there the guaranteed advantage of spectral steps was an early one."
        )
    yield from granularity(rows)
    yield from measured(rows)


def granularity(rows: Rows) -> Iterator[str]:
    """How the spectra favour that gradients be cut, by cut."""
    cut = [row for row in rows if row.granularity not in (None, Granularity.ANY)]
    for favoured in dict.fromkeys(row.granularity for row in cut):
        chosen = [row for row in cut if row.granularity == favoured]
        sure = [row for row in chosen if (row.granularity_low or 0) >= CLEAR]
        gains = sorted({round(row.granularity_gain, 1) for row in chosen if row.granularity_gain})
        spread = f"{gains[0]:g}" if len(gains) == 1 else f"{gains[0]:g} to {gains[-1]:g}"
        yield (
            f"Granularity: {favoured} is guaranteed {spread} times as much as the next cut in "
            f"{among(chosen, rows)} ({len(sure):,} of {plural(len(chosen), 'block')} reach the "
            "factor 2 that decides)."
        )


def measured(rows: Rows) -> Iterator[str]:
    """Whether the measured steps agree with the criterion."""
    known = [
        (row.ratio, row.measured)
        for row in rows
        if row.measured is not None and row.ratio is not None
    ]
    if not known:
        return
    won = [measured for _, measured in known if measured > 1]
    said = [ratio for ratio, _ in known if ratio >= 1]
    agreed = sum((ratio >= 1) == (measured > 1) for ratio, measured in known)
    yield (
        f"Measured on a batch, each step at its best length: the spectral step gained more in "
        f"{len(won):,} of {plural(len(known), 'block')}, nr ≥ st said so of {len(said):,}; "
        f"they agree in {agreed:,}."
    )


def limits(rows: Rows, batch_sizes: Sequence[float], *, theorem: bool) -> Iterator[str]:
    """What the criterion does not cover."""
    if theorem:
        yield "Holds for full-batch least squares with the natural step lengths."
    else:
        yield (
            "A theorem for least squares with the natural step lengths; for the blocks of a "
            "network a heuristic. It compares one gradient step with one spectral step, not "
            "AdamW with Muon."
        )
    if not batch_sizes:
        yield (
            "Not enough data to say how far sampling noise raises the nuclear ranks: "
            "batch_size was not logged."
        )
    else:
        sizes = " to ".join(f"{size:,.0f}" for size in sorted({batch_sizes[0], batch_sizes[-1]}))
        yield f"Gradients come from batches of {sizes}; sampling noise raises their nuclear rank."
    few = [row for row in rows if row.columns and row.columns < row.shape[1]]
    if few:
        yield (
            f"{plural(len(few), 'block')} saw fewer columns than features, "
            "which lowers the stable rank and raises the ratio."
        )
