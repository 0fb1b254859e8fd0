"""The descent finding in plain words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from spectrain.answers.descent.granularity import Granularity
from spectrain.answers.descent.row import DescentRow, Verdict
from spectrain.answers.finding import Sign
from spectrain.answers.phrases import among, join, missing_data, plural
from spectrain.answers.trend import ENOUGH
from spectrain.descent import CLEAR

Rows = Sequence[DescentRow]


def brief(rows: Rows) -> dict[str, Any]:
    """Sign, sentence and action. A diagnostic that routes nothing never asks to act."""
    judged = _judged(rows)
    if not judged:
        return {
            "sign": Sign.NOT_ENOUGH_DATA,
            "sentence": statement(rows),
            "action": (
                f"Watch {ENOUGH} sampled steps or more, with gradients and inputs (the default)."
            ),
        }
    high = [row for row in judged if row.verdict is Verdict.SPECTRAL]
    raw = [row for row in high if not row.corrected]
    which = "" if len(raw) == len(high) else f", in {len(raw):,} of them"
    upper = f"{which} as an upper value, which sampling noise raises" if raw else ""
    return {
        "sign": Sign.GOOD,
        "sentence": (
            f"Nuclear over stable rank is 2 or more in {len(high):,} of "
            f"{plural(len(judged), 'block')}{upper}: a diagnostic, no routing."
        ),
        "action": "Start from usual routing (spectrain advise) and let trials decide.",
    }


def statement(rows: Rows) -> str:
    """How many blocks the criterion decides, and which way."""
    count = Counter(row.verdict for row in rows)
    unknown = count.pop(Verdict.UNKNOWN, 0)
    gains = count.pop(Verdict.NO_MATRIX, 0)
    if not count:
        return missing_data(rows)
    favoured = {
        Verdict.SPECTRAL: "the spectral step",
        Verdict.EUCLIDEAN: "the Euclidean step",
        Verdict.OPEN: "neither",
    }
    if len(count) == 1 and not unknown and not gains and len(rows) > 1:
        (only,) = count
        return f"In all {len(rows):,} blocks the criterion favours {favoured[only]}.{_upper(rows)}"
    parts = [
        f"{text} in {count[verdict]:,}" for verdict, text in favoured.items() if count[verdict]
    ]
    if gains:
        parts.append(f"does not judge {plural(gains, 'gain')}")
    missing = f" (not enough data for {unknown:,})" if unknown else ""
    said = f"Of {plural(len(rows), 'block')}{missing}, the criterion favours {join(parts)}."
    return said + _upper(rows)


def _upper(rows: Rows) -> str:
    judged = _judged(rows)
    raw = [row for row in judged if not row.corrected]
    if not raw:
        return " Sampling noise is taken out."
    which = "The" if len(raw) == len(judged) else f"In {plural(len(raw), 'block')} the"
    return f" {which} ratio is an upper value: sampling noise raises the nuclear rank."


def _judged(rows: Rows) -> list[DescentRow]:
    return [row for row in rows if row.verdict not in (Verdict.UNKNOWN, Verdict.NO_MATRIX)]


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
    judged = _judged(rows)
    if not judged:
        return
    yield (
        "The criterion routes nothing: its margin does not predict what Muon gains. Start from "
        "usual routing, and let trials decide."
    )
    margins = {
        Verdict.SPECTRAL: f"Nuclear over stable rank at {CLEAR:g} or above",
        Verdict.EUCLIDEAN: f"At {1 / CLEAR:g} or below",
        Verdict.OPEN: "Between, or not sure",
    }
    for verdict, text in margins.items():
        if those := [row for row in judged if row.verdict is verdict]:
            yield f"{text}: {among(those, judged)}."
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
    """Which cuts of the gradients the spectra favour."""
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
    elif not all(row.corrected for row in _judged(rows)):
        sizes = " to ".join(f"{size:,.0f}" for size in sorted({batch_sizes[0], batch_sizes[-1]}))
        yield f"Gradients come from batches of {sizes}; sampling noise raises their nuclear rank."
    few = [row for row in rows if row.columns and row.columns < row.shape[1]]
    if few:
        yield (
            f"{plural(len(few), 'block')} saw fewer columns than features, "
            "which lowers the stable rank and raises the ratio."
        )
