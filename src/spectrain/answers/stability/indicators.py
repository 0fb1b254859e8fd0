"""What may grow in a block, from the records: series with their limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np
import polars as pl
from jaxtyping import Float64

from spectrain.answers.series import by_block, read_series
from spectrain.answers.stability.row import Indicator
from spectrain.core import Block, Source
from spectrain.records import Run

Values = Float64[np.ndarray, " n"]
Samples = Mapping[str, pl.DataFrame]

RISE = 10.0
"""Growth of ‖W‖_op, from its start or from √(m/n), that counts as its limit."""

LOGITS = 1e4
"""Attention logits beyond which training was seen to diverge (Wortsman et al. 2023, §3.1)."""

FULL = 1.0
"""Largest input over the largest number of its precision at which it overflows."""

SOURCES = {
    "weight": (Source.WEIGHT, "operator_norm"),
    "fed": (Source.INPUT, "frobenius_norm"),
    "margin": (Source.INPUT, "overflow_margin"),
    "kurtosis": (Source.INPUT, "channel_kurtosis"),
    "share": (Source.INPUT, "top_channel_share"),
    "stream": (Source.INPUT, "stream_rms"),
    "gain": (Source.WEIGHT, "rms_gain"),
    "moved": (Source.UPDATE, "rms_gain"),
    "gradient": (Source.GRADIENT, "frobenius_norm"),
}


@dataclass(frozen=True, slots=True)
class Watched:
    """An indicator of a block through the run, positive, with its limit."""

    indicator: Indicator
    steps: Values
    values: Values
    limit: float


def read_indicators(run: Run) -> dict[str, Samples]:
    """Series of every block by a short name; of logits those of each block's largest head."""
    indicators: dict[str, Samples] = {
        key: by_block(read_series(run, *name).filter(pl.col("block").is_not_null()))
        for key, name in SOURCES.items()
    }
    return indicators | {
        "logits": by_block(_largest_heads(run, Source.WEIGHT, "logit_bound")),
        "seen": by_block(_largest_heads(run, Source.INPUT, "max_logit")),
    }


def watched(block: Block, series: Mapping[str, Samples]) -> Iterator[Watched]:
    """What may grow in a block, as far as it is recorded.

    ‖W‖_op may rise tenfold from where it started, or from √(m/n) where it started below: there the
    spectral condition holds it. Logits are bounded by those of inputs with the mean square that was
    measured, of queries and keys alike; a longer input makes larger ones. Where attention is eager
    the largest logits were seen, and count in place of their bound.
    """
    weight = series["weight"].get(block.name)
    if weight is not None and not block.view.diagonal:
        steps, values = _positive(weight)
        if len(values):
            start = float(np.median(values[: max(len(values) // 4, 1)]))
            limit = RISE * max(start, sqrt(block.shape[0] / block.shape[1]))
            yield Watched(Indicator.GAIN, steps, values, limit)
    seen = series["seen"].get(block.name)
    if seen is not None:
        yield Watched(Indicator.SEEN, *_positive(seen), LOGITS)
    bounds, fed = series["logits"].get(block.name), series["fed"].get(block.name)
    if bounds is not None and fed is not None and seen is None:
        squares = pl.col("value_fed") ** 2 / pl.col("count")
        joined = bounds.join(fed, on="step", suffix="_fed").sort("step")
        steps, values = _positive(joined.with_columns(value=pl.col("value") * squares))
        yield Watched(Indicator.LOGITS, steps, values, LOGITS)
    margin = series["margin"].get(block.name)
    if margin is not None:
        steps, values = _positive(margin.with_columns(value=2.0 ** -pl.col("value")))
        yield Watched(Indicator.RANGE, steps, values, FULL)


def _positive(frame: pl.DataFrame) -> tuple[Values, Values]:
    kept = frame.filter(pl.col("value") > 0)
    return kept["step"].cast(pl.Float64).to_numpy(), kept["value"].to_numpy()


def _largest_heads(run: Run, source: Source, measure: str) -> pl.DataFrame:
    """The largest value of each block and step, with the head that has it."""
    rows = run.metrics(source=source, measure=measure)
    return (
        rows.filter(pl.col("value").is_finite())
        .sort("value")
        .group_by("block", "step")
        .agg(pl.col("value").last(), pl.col("index").last())
        .sort("step")
    )
