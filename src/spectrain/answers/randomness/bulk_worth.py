"""What the random bulk is worth, from the records of :func:`spectrain.monitor.measure_bulk`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from spectrain.core import Source
from spectrain.records import Run

PREFIX = "loss_change_"


@dataclass(frozen=True, slots=True)
class BulkWorth:
    """Changes of the loss under surgery on the weights, at the last step that was measured.

    Attributes:
        step: that step; ``None`` where nothing was measured.
        loss: as it was.
        changes: name of the surgery to (change, standard error or ``None``), all blocks at once.
        alone: change of the loss without the bulk of one block.
    """

    step: int | None = None
    loss: float | None = None
    changes: Mapping[str, tuple[float, float | None]] = field(default_factory=dict)
    alone: Mapping[str, float] = field(default_factory=dict)


def read_bulk_worth(run: Run) -> BulkWorth:
    """The last measurement of a run; an empty one where there is none."""
    rows = run.metrics(source=Source.ABLATION).filter(pl.col("value").is_finite())
    if rows.is_empty():
        return BulkWorth()
    rows = rows.filter(pl.col("step") == pl.col("step").max())
    whole, alone = (
        rows.filter(pl.col("block").is_null()),
        rows.filter(pl.col("block").is_not_null()),
    )
    losses = whole.filter(pl.col("measure") == "loss")["value"]
    return BulkWorth(
        step=int(rows["step"][0]),
        loss=float(losses[-1]) if len(losses) else None,
        changes={
            str(row["measure"]).removeprefix(PREFIX): (row["value"], row["error"])
            for row in whole.iter_rows(named=True)
            if str(row["measure"]).startswith(PREFIX)
        },
        alone={
            row["block"]: row["value"]
            for row in alone.iter_rows(named=True)
            if row["measure"] == f"{PREFIX}bulk_truncated"
        },
    )
