"""Blocks whose gradient died, exploded or was not finite, and updates effectively of low rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import polars as pl

from spectrain.answers.series import by_block, read_series
from spectrain.core import Block, Source
from spectrain.records import Run

DEAD = 1e-7
"""Gradient norm over that of the run's median block at which a block counts as dead."""

EXPLODING = 100.0
"""Growth of the gradient's norm over that of the samples before the last third."""

START = 0.05
"""Share of the run, at its beginning, that says nothing of growth: gradients may start at zero."""

ENOUGH = 9
"""Samples after the start that are needed to speak of growth."""

LOW_RANK = 0.1
"""Share of full rank up to which an update counts as effectively low-rank."""

SMALLEST = 16
"""Full rank below which every update is of low rank."""


class State(StrEnum):
    """How a block's gradient is."""

    NOT_FINITE = "not finite"
    DEAD = "dead"
    EXPLODING = "exploding"
    ORDINARY = "ordinary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The state of one block's gradient and the rank of its update.

    Attributes:
        state: ``None`` without records.
        not_finite_at: first sampled step whose gradient was not finite.
        norm_early: median norm of the first third of the samples.
        norm_late: of the last third.
        update_rank: median effective rank of the applied update in the last third.
        update_share: the same over full rank.
        low_rank_update: whether that is at most :data:`LOW_RANK`.
    """

    state: State | None = None
    not_finite_at: int | None = None
    norm_early: float | None = None
    norm_late: float | None = None
    update_rank: float | None = None
    update_share: float | None = None
    low_rank_update: bool | None = None


def gradient_health(run: Run, blocks: Sequence[Block]) -> dict[str, Health]:
    """The state of every block's gradient and the rank of its update, by block.

    A gradient is *not finite* if it held NaN or Inf at a sampled step. A block is *dead* if its
    gradient's Frobenius norm stayed below :data:`DEAD` of the median block's through the last third
    of the samples. It is *exploding* if the norm that the backward pass left, before clipping, grew
    more than :data:`EXPLODING`-fold: the median of the last third over that of the samples before,
    the first :data:`START` of the run left out, over :data:`ENOUGH` samples at least; while the
    logged loss did not fall or, where none was logged, tenfold over nine tenths of them too.
    """
    norms = read_series(run, Source.GRADIENT, "frobenius_norm")
    typical = norms.group_by("step").agg(pl.col("value").median().alias("typical"))
    seen = by_block(norms.join(typical, on="step").sort("step"))
    unclipped = by_block(read_series(run, Source.BACKWARD, "frobenius_norm"))
    updates = by_block(read_series(run, Source.UPDATE, "effective_rank"))
    broken = _not_finite(run)
    losses = read_series(run, Source.TRAINING, "loss")
    healths = {}
    for block in blocks:
        norm = seen.get(block.name)
        at = broken.get(block.name)
        state = None if norm is None and at is None else State.ORDINARY
        if at is not None:
            state = State.NOT_FINITE
        elif norm is not None and _dead(norm):
            state = State.DEAD
        elif norm is not None and _exploding(unclipped.get(block.name, norm), losses):
            state = State.EXPLODING
        healths[block.name] = Health(
            state=state,
            not_finite_at=at,
            norm_early=None if norm is None else _median(norm, last=False),
            norm_late=None if norm is None else _median(norm, last=True),
            **_update(updates.get(block.name), min(block.shape)),
        )
    return healths


def loss_not_finite_at(run: Run) -> int | None:
    """The first step at which a loss that is not a finite number was logged."""
    rows = run.metrics(source=Source.TRAINING, measure="loss")
    steps = rows.filter(pl.col("value").is_null() | ~pl.col("value").is_finite())["step"]
    return None if steps.is_empty() else int(steps.to_numpy().min())


def _not_finite(run: Run) -> Mapping[str, int]:
    rows = run.metrics(source=[Source.BACKWARD, Source.GRADIENT], measure="frobenius_norm").filter(
        pl.col("reason").str.contains("NaN or Inf")
    )
    first = rows.group_by("block").agg(pl.col("step").min())
    return {str(block): int(step) for block, step in first.iter_rows()}


def _median(samples: pl.DataFrame, *, last: bool) -> float:
    values = samples["value"].to_numpy()
    third = max(len(values) // 3, 1)
    return float(np.median(values[-third:] if last else values[:third]))


def _dead(samples: pl.DataFrame) -> bool:
    values, typical = samples["value"].to_numpy(), samples["typical"].to_numpy()
    third = max(len(values) // 3, 1)
    return bool((values[-third:] <= DEAD * typical[-third:]).all())


def _exploding(samples: pl.DataFrame, losses: pl.DataFrame) -> bool:
    steps = samples["step"].to_numpy()
    kept = steps >= steps[0] + START * (steps[-1] - steps[0])
    steps, values = steps[kept], samples["value"].to_numpy()[kept]
    if len(values) < ENOUGH:
        return False
    third = len(values) // 3
    late, before = float(np.median(values[-third:])), values[:-third]
    if not before.any() or late <= EXPLODING * float(np.median(before)):
        return False
    learning = _learning(losses, int(steps[0]), int(steps[-third]))
    return (
        late > EXPLODING / 10 * float(np.quantile(before, 0.9))
        if learning is None
        else not learning
    )


def _learning(losses: pl.DataFrame, start: int, turn: int) -> bool | None:
    """Whether the loss is lower after a step than between the start and it; ``None`` unlogged."""
    at, values = losses["step"].to_numpy(), losses["value"].to_numpy()
    before, after = values[(at >= start) & (at < turn)], values[at >= turn]
    if not len(before) or not len(after):
        return None
    return bool(np.median(after) < np.median(before))


def _update(samples: pl.DataFrame | None, full: int) -> dict[str, Any]:
    if samples is None or not samples.height:
        return {}
    rank = _median(samples, last=True)
    low = full >= SMALLEST and 0 < rank <= LOW_RANK * full
    return {"update_rank": rank, "update_share": rank / full, "low_rank_update": bool(low)}
