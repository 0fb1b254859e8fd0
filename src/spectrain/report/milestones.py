"""What happened at which step of a run: NaN, resumption, schedule, clipping, jumps of norm, rank.

These are descriptions by a fixed rule, to find the place on a chart; none of them is a test.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from spectrain.answers.audit.finding import read_clipping
from spectrain.answers.rank.finding import read_shares
from spectrain.answers.series import read_series
from spectrain.core import Block, Source
from spectrain.page.format import number, percent
from spectrain.records import Run, first_not_finite

MOST = 12
"""Milestones of one kind that a page shows."""

NORM_JUMP = 3.0
"""Times the median of the samples around that the gradient's norm is at a spike."""

RANK_JUMP = 1.5
"""The same of the rank, as a factor up or down."""

AROUND = 5
"""Samples on either side that a sample is compared with."""

CLIPPED = 0.999
"""Scaling of the gradient below which a step counts as clipped."""


@dataclass(frozen=True, slots=True)
class Milestone:
    """Something that happened at a step.

    Attributes:
        step: at which.
        kind: in a word or two.
        text: in full.
    """

    step: int
    kind: str
    text: str


def milestones(run: Run, blocks: Sequence[Block]) -> list[Milestone]:
    """What happened in a run, by step."""
    all_of_them = [
        *_not_finite(run),
        *_resumptions(run),
        *_schedule(read_rates(run)),
        *_clipping(run),
        *_norm_spikes(read_gradient_norm(run)),
        *_rank_jumps(run, blocks),
    ]
    return sorted(all_of_them, key=lambda milestone: milestone.step)


def read_gradient_norm(run: Run) -> pl.DataFrame:
    """Norm of the gradient of all blocks together, as the optimizer got it: step, value.

    Steps at which fewer blocks were read than at others are left out.
    """
    norms = read_series(run, Source.GRADIENT, "frobenius_norm")
    whole = norms.group_by("step").agg(
        value=(pl.col("value") ** 2).sum().sqrt(), blocks=pl.col("block").n_unique()
    )
    return (
        whole.filter(pl.col("blocks") == pl.col("blocks").max())
        .select("step", "value")
        .sort("step")
    )


def read_rates(run: Run) -> dict[str, pl.DataFrame]:
    """Learning rate of every parameter group, groups of the same course once: step, value."""
    rates = read_series(run, Source.OPTIMIZER, "learning_rate")
    courses: dict[tuple[float, ...], tuple[str, pl.DataFrame]] = {}
    for (group,), rows in rates.sort("block", "step").group_by("block", maintain_order=True):
        courses.setdefault(tuple(rows["value"]), (str(group), rows.select("step", "value")))
    return dict(sorted(courses.values(), key=lambda entry: entry[0]))


def _not_finite(run: Run) -> Iterator[Milestone]:
    if (event := first_not_finite(run)) is not None:
        yield Milestone(event.step, "not finite", f"{event}.")


def _resumptions(run: Run) -> Iterator[Milestone]:
    attempts = run.attempts
    later = [a for a in attempts if a.rank == attempts[0].rank and a.number > 1]
    for attempt in later[-MOST:]:
        when = attempt.started_at[:16].replace("T", " ")
        yield Milestone(
            attempt.start_step,
            "resumed",
            f"Start number {attempt.number} goes on from here, {when} UTC.",
        )


def _schedule(rates: dict[str, pl.DataFrame]) -> Iterator[Milestone]:
    """Where the largest rate of the first group is reached and left."""
    for rows in list(rates.values())[:1]:
        steps, values = rows["step"].to_numpy(), rows["value"].to_numpy()
        top = float(values.max())
        at_top = np.flatnonzero(values >= top * (1 - 1e-9))
        if at_top[0] > 0:
            text = f"The learning rate reaches its largest value, {number(top)}."
            yield Milestone(int(steps[at_top[0]]), "warm-up ends", text)
        if 0 < at_top[-1] < len(values) - 1:
            text = f"The learning rate begins to fall, in the end to {number(float(values[-1]))}."
            yield Milestone(int(steps[at_top[-1]]), "decay begins", text)


def _clipping(run: Run) -> Iterator[Milestone]:
    factors = read_clipping(run).group_by("step").agg(pl.col("value").median()).sort("step")
    clipped = factors.filter(pl.col("value") < CLIPPED)
    if clipped.is_empty():
        return
    factor = clipped["value"].median()
    often = f"{clipped.height:,} of {factors.height:,} sampled steps"
    yield Milestone(
        int(clipped["step"][0]),
        "clipping",
        f"The first step whose gradient was scaled down; {often} were, by "
        f"{number(factor if isinstance(factor, float) else None, 2)} in the median.",
    )


def _norm_spikes(norm: pl.DataFrame) -> Iterator[Milestone]:
    steps, values = norm["step"].to_numpy(), norm["value"].to_numpy()
    times = _beside(values)
    for place in _greatest(np.flatnonzero(times > NORM_JUMP), times):
        text = f"The gradient's norm is {number(float(times[place]), 2)} times that of the samples"
        yield Milestone(int(steps[place]), "spike of the norm", f"{text} around.")


def _rank_jumps(run: Run, blocks: Sequence[Block]) -> Iterator[Milestone]:
    shares = read_shares(run, blocks).group_by("step").agg(pl.col("share").median()).sort("step")
    steps, values = shares["step"].to_numpy(), shares["share"].to_numpy()
    times = _beside(values)
    far = np.maximum(times, 1 / np.maximum(times, 1e-9))
    for place in _greatest(np.flatnonzero(far > RANK_JUMP), far):
        text = f"The median effective rank of the gradients is {percent(float(values[place]))} of "
        factor = number(float(times[place]), 2)
        yield Milestone(
            int(steps[place]),
            "jump of the rank",
            f"{text}full rank, {factor} times that of the samples around.",
        )


def _beside(values: np.ndarray) -> np.ndarray:
    """Every value over the median of the samples around it, itself left out; 1 where too few.

    Example:
        >>> _beside(np.array([1.0, 1.0, 1.0, 8.0, 2.0, 2.0, 2.0])).tolist()
        [1.0, 1.0, 1.0, 5.333333333333333, 1.0, 1.0, 1.0]
    """
    times = np.ones(len(values))
    for place, value in enumerate(values):
        before, after = values[max(place - AROUND, 0) : place], values[place + 1 :][:AROUND]
        around = np.concatenate([before, after])
        if min(len(before), len(after)) >= 3 and (middle := float(np.median(around))) > 0:
            times[place] = value / middle
    return times


def _greatest(places: np.ndarray, size: np.ndarray) -> list[int]:
    return [int(p) for p in places[np.argsort(-size[places], kind="stable")][:MOST]]
