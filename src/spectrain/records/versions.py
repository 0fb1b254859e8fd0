"""Rows of older formats in the present one: files are never rewritten for it.

Format 1 had no ``index``: the third direction's echo was a measure ``echo_3``. It wrote the verdict
of the noise models into the reason beside their score, and noise scales in replicas, where the
batch size was not known, into the place of those in examples.
"""

from __future__ import annotations

import polars as pl

from spectrain.core import Source
from spectrain.records.schema import SCHEMAS

_NUMBERED = r"^(echo|sigma|overlap_left|overlap_right|echo_isotropic|echo_proportional)_(\d+)$"
_VERDICTS = {"isotropic additive": -1.0, "undecided": 0.0, "signal-proportional": 1.0}
_IN_REPLICAS = "counts microbatches"


def in_present_format(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows of one or several files of the same format, as the present one has them."""
    names = rows.collect_schema().names()
    if "measure" not in names or "index" in names:  # spectra are as they were
        return rows
    noise, measure = pl.col("source") == Source.NOISE, pl.col("measure")
    number = pl.when(noise).then(measure.str.extract(_NUMBERED, 2).cast(pl.Int32))
    told_in_replicas = pl.col("reason").str.starts_with(_IN_REPLICAS).any().over("step")
    unknown = (noise & (measure == "noise_scale") & told_in_replicas).fill_null(value=False)
    scored = noise & (measure == "noise_model_score")
    named = rows.with_columns(
        index=number,
        measure=pl.when(number.is_not_null())
        .then(measure.str.replace(_NUMBERED, "${1}"))
        .otherwise(measure),
        value=pl.when(~unknown).then(pl.col("value")),
        error=pl.when(~unknown).then(pl.col("error")),
        verdict=pl.when(scored).then(
            pl.col("reason").replace_strict(_VERDICTS, default=None, return_dtype=pl.Float64)
        ),
    )
    verdicts = named.filter(pl.col("verdict").is_not_null()).with_columns(
        measure=pl.lit("noise_model"),
        value=pl.col("verdict"),
        error=pl.lit(None, pl.Float64),
        reason=pl.lit(None, pl.String),
    )
    with_reasons = named.with_columns(
        reason=pl.when(pl.col("verdict").is_null() | pl.col("value").is_null()).then(
            pl.col("reason")
        )
    )
    return pl.concat([with_reasons, verdicts]).select(*SCHEMAS["metrics"])
