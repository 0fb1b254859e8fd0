"""The regime finding in plain words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from math import isfinite
from statistics import median
from typing import Any

from spectrain.answers.phrases import among, join, plural
from spectrain.answers.regime.row import Verdict

Rows = Sequence[Any]


def finite(value: float) -> float | None:
    """The value, unless it is NaN or infinite.

    Example:
        >>> finite(1.0), finite(float("nan"))
        (1.0, None)
    """
    return value if isfinite(value) else None


def statement(rows: Rows) -> str:
    """How many blocks are in which regime."""
    count = Counter(row["verdict"] for row in rows)
    unknown = count.pop(Verdict.UNKNOWN, 0)
    if not count:
        missing = join(sorted({row["reason"] for row in rows})) or "the run has no blocks"
        return f"Not enough data for any block: {missing}."
    phrases = {
        Verdict.EQUILIBRIUM: "{} at the norm that noise and weight decay agree on",
        Verdict.APPROACHING: "{} on the way there",
        Verdict.SIGNAL_DRIVEN: "{} driven by the signal",
        Verdict.UNDECIDED: "{} undecided",
    }
    parts = [text.format(f"{count[key]:,}") for key, text in phrases.items() if count[key]]
    missing = f" (not enough data for {unknown:,})" if unknown else ""
    return f"Of {plural(len(rows), 'block')}{missing}: {join(parts)}."


def confidence(judged: Rows) -> str:
    """What the norms are held against."""
    if not judged:
        return ""
    return (
        "Norms against the path that the optimizer's recorded settings would make of noise alone, "
        f"over {max(row['samples'] for row in judged):,} recorded weights; on the path within "
        f"{min(row['tolerance'] for row in judged):.0%} and more for small blocks."
    )


def advice(judged: Rows) -> Iterator[str]:
    """What follows for learning rates, decay and multipliers."""
    settled = [row for row in judged if row["verdict"] == Verdict.EQUILIBRIUM]
    driven = [row for row in judged if row["verdict"] == Verdict.SIGNAL_DRIVEN]
    approaching = [row for row in judged if row["verdict"] == Verdict.APPROACHING]
    if settled:
        yield (
            f"Scale set by weight decay: {among(settled, judged)}. Their norm follows √(η/λ), and "
            f"a step turns them by {_angle(settled)} whatever the loss says."
        )
    held = [row for row in settled if row["kind"] == "matrix"]
    if held:
        yield (
            "Where such a layer needs another scale than decay allows, a multiplier indicates "
            f"itself (spectrain.optim.add_multipliers): {among(held, judged)}."
        )
    if driven:
        above = [row for row in driven if row["ratio"] is not None and row["ratio"] > 1]
        yield (
            f"Following the signal: {among(driven, judged)} ({len(above):,} above and "
            f"{len(driven) - len(above):,} below their twin's norm)."
        )
    shared = {row["group"] for row in settled} & {row["group"] for row in driven}
    if shared:
        yield (
            f"Both regimes share {join(sorted(shared))}: a separate learning rate or decay for the "
            "blocks that follow the signal would not move those that decay holds."
        )
    if approaching:
        times = median(row["relaxation_steps"] for row in approaching if row["relaxation_steps"])
        yield (
            f"Still remembering their first weights: {among(approaching, judged)}; a relaxation "
            f"takes {times:,.0f} steps at the last learning rate."
        )


def limits(rows: Rows) -> Iterator[str]:
    """What a norm on the path does not tell."""
    unknown = Counter(row["reason"] for row in rows if row["verdict"] == Verdict.UNKNOWN)
    for reason, number in unknown.items():
        yield f"Not judged, {plural(number, 'block')}: {reason}."
    if len(unknown) and sum(unknown.values()) == len(rows):
        return
    yield (
        "A norm on the twin's path says that the data did not set the scale; the direction may "
        "carry all that was learned."
    )
    yield (
        "Gradients that are rarely anything but zero, such as those of seldom tokens, make shorter "
        "updates than the twin's dense noise."
    )


def _angle(rows: Rows) -> str:
    angles = [row["angle"] for row in rows if row["angle"] is not None]
    return f"{median(angles):.2g} rad (median)" if angles else "a constant angle"
