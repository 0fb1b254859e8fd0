"""Blocks whose gradient died or exploded, and blocks whose update is effectively of low rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
"""Growth of the gradient's norm over the median of the run's earlier two thirds."""

LOW_RANK = 0.1
"""Share of full rank up to which an update counts as effectively low-rank."""

SMALLEST = 16
"""Full rank below which every update is of low rank."""


class State(StrEnum):
    """How a block's gradient is."""

    DEAD = "dead"
    EXPLODING = "exploding"
    ORDINARY = "ordinary"


def health(run: Run, blocks: Sequence[Block]) -> dict[str, dict[str, Any]]:
    """The state of every block's gradient and the rank of its update, by block.

    A block is *dead* if its gradient's Frobenius norm stayed below :data:`DEAD` of the median
    block's through the last third of the samples, *exploding* if a gradient was not finite or the
    median norm of the last third exceeds :data:`EXPLODING` times that of the samples before.

    Returns:
        For every block ``state`` (``None`` without records), ``norm_early`` and ``norm_late``
        (medians of the first and last third), ``update_rank`` and ``update_share`` (median
        effective rank of the applied update in the last third, and over full rank) and
        ``low_rank_update``.
    """
    norms = read_series(run, Source.GRADIENT, "frobenius_norm")
    typical = norms.group_by("step").agg(pl.col("value").median().alias("typical"))
    by_name = by_block(norms.join(typical, on="step").sort("step"))
    updates = by_block(read_series(run, Source.UPDATE, "effective_rank"))
    broken = set(
        run.metrics(source=Source.GRADIENT, measure="frobenius_norm")
        .filter(pl.col("reason").str.contains("NaN or Inf"))["block"]
        .to_list()
    )
    return {
        block.name: {
            **_gradient(by_name.get(block.name), block.name in broken),
            **_update(updates.get(block.name), min(block.shape)),
        }
        for block in blocks
    }


def _gradient(samples: pl.DataFrame | None, broken: bool) -> dict[str, Any]:
    if samples is None:
        state = State.EXPLODING if broken else None
        return {"state": state and str(state), "norm_early": None, "norm_late": None}
    values, typical = samples["value"].to_numpy(), samples["typical"].to_numpy()
    third = max(len(values) // 3, 1)
    late = float(np.median(values[-third:]))
    before = float(np.median(values[:-third])) if len(values) > third else late
    state = State.ORDINARY
    if (values[-third:] <= DEAD * typical[-third:]).all():
        state = State.DEAD
    elif broken or late > EXPLODING * before > 0:
        state = State.EXPLODING
    return {
        "state": str(state),
        "norm_early": float(np.median(values[:third])),
        "norm_late": late,
    }


def _update(samples: pl.DataFrame | None, full: int) -> dict[str, Any]:
    if samples is None or not samples.height:
        return {"update_rank": None, "update_share": None, "low_rank_update": None}
    values = samples["value"].to_numpy()
    rank = float(np.median(values[-max(len(values) // 3, 1) :]))
    low = full >= SMALLEST and 0 < rank <= LOW_RANK * full
    return {"update_rank": rank, "update_share": rank / full, "low_rank_update": bool(low)}


def ailing(rows: Sequence[Mapping[str, Any]], state: State) -> list[Mapping[str, Any]]:
    """The rows of blocks in a state."""
    return [row for row in rows if row["state"] == state]
