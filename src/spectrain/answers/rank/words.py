"""The rank finding in plain words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from spectrain.answers.phrases import among, join, plural
from spectrain.answers.rank.health import State, ailing
from spectrain.answers.rank.row import Verdict
from spectrain.answers.rank.stagnation import FEWEST, Lagged

_SURE = 24  # samples from which on the false-positive rate was measured to be as nominal
Rows = Sequence[Any]


def statement(rows: Rows) -> str:
    """How many gradients fall in rank, by how much, and how many rise."""
    count = Counter(row["verdict"] for row in rows)
    unknown = count.pop(Verdict.UNKNOWN, 0)
    if not count:
        missing = join(sorted({row["reason"] for row in rows})) or "the run has no blocks"
        return f"Not enough data for any block: {missing}."
    parts = []
    for verdict, verb in ((Verdict.FALLING, "falls"), (Verdict.RISING, "rises")):
        if chosen := [row for row in rows if row["verdict"] == verdict]:
            parts.append(f"it {verb} in {len(chosen):,} ({_from_to(chosen)})")
    if count[Verdict.NO_TREND]:
        parts.append(f"there is no trend beyond noise in {count[Verdict.NO_TREND]:,}")
    missing = f" (not enough data for {unknown:,})" if unknown else ""
    return f"Of {plural(len(rows), 'block')}{missing}, {join(parts)}."


def confidence(judged: Rows) -> str:
    """What the test is."""
    if not judged:
        return ""
    return (
        "Rank trend with moving-block bootstrap, so that autocorrelated noise does not pass for a "
        f"trend; false discovery rate 5 % over {plural(len(judged), 'block')}, "
        f"{max(row['samples'] for row in judged):,} samples after the first twentieth of the run."
    )


def advice(judged: Rows, depths: Rows) -> Iterator[str]:
    """Where to look."""
    falling = [row for row in judged if row["verdict"] == Verdict.FALLING]
    if falling:
        yield f"Falling: {among(falling, judged)}."
        worst = min(falling, key=lambda row: row["late"])
        yield (
            f"The lowest is {worst['block']}, at {worst['late']:.0%} of full rank: few directions "
            "carry its gradient, which is where orthonormalised updates differ most from it."
        )
    steep = [row for row in depths if row["verdict"] == Verdict.FALLING]
    if steep:
        numbers = join([str(row["depth"]) for row in sorted(steep, key=lambda row: row["depth"])])
        yield f"By depth, the median block falls in layer{'s' * (len(steep) > 1)} {numbers}."
    if judged and not falling:
        yield "No collapse to act on."


def health(rows: Rows) -> Iterator[str]:
    """Blocks that do not learn, that learn too wildly, and that move in few directions."""
    if dead := ailing(rows, State.DEAD):
        yield (
            f"Dead: {_named(dead)} had no gradient in the last third of the run; look for units "
            "that never fire, or a branch that nothing reads."
        )
    if wild := ailing(rows, State.EXPLODING):
        yield (
            f"Exploding: the gradient of {_named(wild)} grew a hundredfold or was not finite; "
            "lower the learning rate or clip."
        )
    if narrow := [row for row in rows if row["low_rank_update"]]:
        lowest = min(narrow, key=lambda row: row["update_share"])
        yield (
            f"Updates of low rank: {among(narrow, rows)}; lowest in {lowest['block']}, whose "
            f"weights move in {lowest['update_rank']:.1f} directions of {min(lowest['shape'])}."
        )


def limits(judged: Rows, loss: str | None, pace: Lagged | None = None) -> Iterator[str]:
    """What a trend in rank does not tell."""
    if loss is None:
        yield (
            "Not enough data to say whether learning stagnates along with it: "
            "loss was not logged often enough."
        )
    elif judged:
        told = {"falling": "still falls", "level": "is level", "rising": "rises"}[loss]
        yield (
            f"The loss {told} over the second half of the run; "
            "that both move together says nothing of cause."
        )
        yield _with_pace(pace)
    if judged and min(row["samples"] for row in judged) < _SURE:
        yield (
            f"With fewer than {_SURE} samples, strongly autocorrelated noise passes for a trend "
            "more often than one time in twenty."
        )
    if judged:
        yield "No trend found is not proof of none: few or noisy samples hide slow ones."


def _with_pace(pace: Lagged | None) -> str:
    if pace is None:
        return (
            f"Fewer than {FEWEST} samples with a logged loss: not enough to correlate the pace of "
            "learning with the rank."
        )
    numbers = (
        f"r = {pace.correlation:.2f} (95 % {pace.low:.2f} to {pace.high:.2f}), about their trends"
    )
    if not pace.found:
        return (
            f"Pace of learning and rank of the median block are not seen to go together: {numbers}."
        )
    order = {True: "before", False: "after"}[pace.lag > 0]
    when = f", rank {abs(pace.lag)} samples {order}" if pace.lag else ""
    way = (
        "the lower the rank, the slower"
        if pace.correlation > 0
        else "the lower the rank, the faster"
    )
    return f"The pace of learning goes with the rank of the median block, {way}: {numbers}{when}."


def _named(rows: Rows) -> str:
    names = [row["block"] for row in rows]
    return join(names) if len(names) <= 3 else f"{join(names[:2])} and {len(names) - 2:,} more"


def _from_to(rows: Rows) -> str:
    early, late = (float(np.median([row[key] for row in rows])) for key in ("early", "late"))
    return f"median block from {early:.0%} to {late:.0%} of full rank"
