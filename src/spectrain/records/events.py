"""Events in a run: the step at which something ceased to be finite."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from spectrain.core import Source
from spectrain.records.reader import Run

NOT_FINITE = "not_finite"
"""Measure of the rows that say so of a parameter's gradient or weights."""

LOSS = "loss"
"""Of the numbers that a loop logs, the one that should be finite."""

_ORDER = {Source.TRAINING: 0, Source.GRADIENT: 1, Source.WEIGHT: 2}
"""What comes first within a step."""


@dataclass(frozen=True, slots=True)
class NotFinite:
    """Where NaN or an infinity was first seen.

    Attributes:
        step: at which.
        source: training where the logged loss was, else gradient or weight.
        name: ``loss``, or the parameter.
        last_finite: the last step before it at which that source was seen and finite; ``None``
            where there is none. Steps between the two were not sampled.
    """

    step: int
    source: Source
    name: str
    last_finite: int | None

    def __str__(self) -> str:
        what = "the logged" if self.source is Source.TRAINING else f"the {self.source} of"
        since = ""
        if self.last_finite is not None and self.last_finite < self.step - 1:
            since = f" (at step {self.last_finite:,} it was, between them nothing was sampled)"
        return f"{what} {self.name} is not finite (NaN or infinite) at step {self.step:,}{since}"


def first_not_finite(run: Run) -> NotFinite | None:
    """The first event of a run; ``None`` where all that was seen was finite.

    Example:
        >>> import tempfile
        >>> from spectrain.core import Record
        >>> from spectrain.records import RunWriter, open_run
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     writer = RunWriter(folder, manifest={})
        ...     rows = [(16, 0.5), (17, float("nan"))]
        ...     writer.write([Record(s, None, Source.TRAINING, "loss", v) for s, v in rows])
        ...     writer.close({})
        ...     print(first_not_finite(open_run(folder)))
        the logged loss is not finite (NaN or infinite) at step 17
    """
    losses = run.metrics(source=Source.TRAINING, measure=LOSS)
    logged = losses.filter(~pl.col("value").is_finite())
    marked = run.metrics(measure=NOT_FINITE)
    rows = pl.concat(
        [
            logged.select("step", "source", name="measure"),
            marked.select("step", "source", name="block"),
        ]
    )
    if rows.is_empty():
        return None
    order = pl.col("source").replace_strict(_ORDER, default=len(_ORDER), return_dtype=pl.Int8)
    first = rows.sort("step", order, maintain_order=True).row(0, named=True)
    source = Source(first["source"])
    measure = LOSS if source is Source.TRAINING else None
    seen = run.metrics(source=source, measure=measure).filter(
        pl.col("value").is_finite(), pl.col("step") < first["step"]
    )
    last = seen["step"].max()
    return NotFinite(first["step"], source, first["name"], last if isinstance(last, int) else None)
