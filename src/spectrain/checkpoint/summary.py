"""Tables of an inspection: a row a block, a row a role or depth, WeightWatcher's columns."""

from __future__ import annotations

import re
from collections import Counter
from statistics import median
from typing import Literal

import polars as pl

from spectrain.checkpoint.weightwatcher import PREFIX
from spectrain.core import Block, Role, Source
from spectrain.matrix import MEASURES
from spectrain.records import Run

OVER_TRAINED, UNDER_TRAINED = 2.0, 6.0
"""α below and above which WeightWatcher warns."""

_DESCRIPTION = (
    "step",
    "block",
    "role",
    "depth",
    "stack",
    "rows",
    "columns",
    "entries",
    "dtype",
    "method",
    "threads",
    "openblas_threads",
)


def blocks_frame(run: Run, source: Source = Source.WEIGHT) -> pl.DataFrame:
    """A row for each step and block: what it is, how it was computed, every measure, the reason.

    Estimated measures are followed by their standard errors, in columns that end in ``_error``.

    Args:
        run: of an inspection.
        source: ``weight``, or ``update`` for the difference of two checkpoints.
    """
    metrics = run.metrics(source=source).filter(~pl.col("measure").str.starts_with(PREFIX))
    measures = list(dict.fromkeys([*MEASURES, *metrics["measure"].unique(maintain_order=True)]))
    key = ["step", "block"]
    wide = metrics.pivot("measure", index=key, values="value")
    lacking = [name for name in measures if name not in wide.columns]
    wide = wide.with_columns(pl.lit(None, dtype=pl.Float64).alias(name) for name in lacking)
    errors = metrics.filter(pl.col("error").is_not_null())
    spreads = errors.pivot("measure", index=key, values="error")
    spreads = spreads.rename(lambda name: name if name in key else f"{name}_error")
    reasons = metrics.group_by(key).agg(pl.col("reason").drop_nulls().first())
    methods = run.spectra(source=source).select(*key, "method")
    frame = (
        wide.join(spreads, on=key, how="left", maintain_order="left")
        .join(_table(run), on="block", how="left", maintain_order="left")
        .join(methods, on=key, how="left", maintain_order="left")
        .join(reasons, on=key, how="left", maintain_order="left")
        .with_columns(
            threads=pl.lit(run.manifest["config"].get("threads"), dtype=pl.Int64),
            openblas_threads=pl.lit(run.manifest["host"].get("openblas_threads"), dtype=pl.Int64),
        )
    )
    estimated = [name for name in spreads.columns if name not in key]
    return frame.select(*_DESCRIPTION, *measures, *estimated, "reason")


def groups_frame(blocks: pl.DataFrame, by: Literal["role", "depth"]) -> pl.DataFrame:
    """Medians of every measure over the blocks of each role or depth, at each step.

    Where several stacks count layers, such as those of an encoder and a decoder, a depth is one of
    a stack.

    Example:
        >>> blocks = pl.DataFrame({"step": [0, 0], "role": ["conv", "conv"], "entries": [6, 6],
        ...     "stable_rank": [1.0, 2.0]})
        >>> groups_frame(blocks, "role").row(0)
        (0, 'conv', 2, 12, 1.5)
    """
    described = {*_DESCRIPTION, "reason"}
    numbers = blocks.select(pl.selectors.numeric()).columns
    measures = [n for n in numbers if n not in described and not n.endswith("_error")]
    keys = ["step", "stack", "depth"] if by == "depth" else ["step", by]
    return (
        blocks.group_by(keys, maintain_order=True)
        .agg(
            pl.len().alias("blocks"),
            pl.col("entries").sum(),
            *(pl.col(name).median() for name in measures),
        )
        .sort(keys, nulls_last=True, maintain_order=True)
    )


def lora_ranks(changes: pl.DataFrame, run: Run) -> dict[str, object]:
    """Ranks for an adapter of each matrix, in the words of PEFT's ``LoraConfig``.

    ``rank_pattern`` holds, for every linear module that moved, the least rank that keeps the share
    of its change that was asked for: that of the whole module, where several blocks are its parts.
    ``r`` is their median.

    Args:
        changes: of :func:`blocks_frame` with ``source="update"``.
        run: of the comparison.
    """
    module_ranks = {row["block"]: row.get("module_rank") for row in changes.iter_rows(named=True)}
    ranks: dict[str, int] = {}
    for block in run.blocks:
        rank = int(module_ranks.get(block.name) or 0)
        linear = block.parameter.endswith(".weight") and block.role not in {Role.EMBEDDING}
        if rank and linear and not block.view.diagonal:
            module = block.parameter.removesuffix(".weight")
            ranks[module] = max(rank, ranks.get(module, 0))
    middle = round(median(ranks.values())) if ranks else 0
    return {"r": middle, "target_modules": list(ranks), "rank_pattern": ranks}


def left_out_frame(run: Run) -> pl.DataFrame:
    """What is not a block, counted by its reason: the commonest first.

    Numbers in a reason (of dimensions, of sides) do not make reasons different.
    """
    reasons = [re.sub(r"\bof shape \(.*\)|'[^']*'", "", skip.reason) for skip in run.skipped]
    counts = Counter(" ".join(reason.split()).removesuffix(" of") for reason in reasons)
    return pl.DataFrame(
        counts.most_common(),
        schema={"reason": pl.String, "tensors": pl.Int64},
        orient="row",
    )


def weightwatcher_frame(run: Run) -> pl.DataFrame:
    """WeightWatcher's columns under its own names, a row for each step and stored tensor."""
    metrics = run.metrics().filter(pl.col("measure").str.starts_with(PREFIX))
    if metrics.is_empty():
        return pl.DataFrame({"name": [], "reason": []}, schema_overrides={"name": pl.String})
    named = metrics.with_columns(pl.col("measure").str.strip_prefix(PREFIX))
    reasons = metrics.group_by("step", "block").agg(pl.col("reason").drop_nulls().first())
    wide = named.pivot("measure", index=["step", "block"], values="value")
    alpha = pl.col("alpha") if "alpha" in wide.columns else pl.lit(None, dtype=pl.Float64)
    warning = (
        pl.when(alpha < OVER_TRAINED)
        .then(pl.lit("over-trained"))
        .when(alpha > UNDER_TRAINED)
        .then(pl.lit("under-trained"))
        .otherwise(pl.lit(""))
    )
    status = pl.when(alpha.is_null()).then(pl.lit("failed")).otherwise(pl.lit("success"))
    return (
        wide.with_columns(status=status, warning=warning)
        .with_columns(layer_id=pl.int_range(pl.len()).over("step"))
        .join(reasons, on=["step", "block"], how="left", maintain_order="left")
        .rename({"block": "name"})
    )


SUMMARY = (
    "log_norm",
    "alpha",
    "alpha_weighted",
    "log_alpha_norm",
    "log_spectral_norm",
    "stable_rank",
    "mp_softrank",
)
"""Columns of which WeightWatcher's summary is the mean."""


def weightwatcher_summary(frame: pl.DataFrame) -> pl.DataFrame:
    """WeightWatcher's summary of a model: means of its columns over the layers, at each step.

    Args:
        frame: of :func:`weightwatcher_frame`.

    Example:
        >>> frame = pl.DataFrame({"step": [0, 0], "alpha": [2.0, 4.0], "name": ["a", "b"]})
        >>> weightwatcher_summary(frame).rows()
        [(0, 2, 3.0)]
    """
    if "step" not in frame.columns:
        return pl.DataFrame({"step": [], "layers": []})
    known = [name for name in SUMMARY if name in frame.columns]
    return (
        frame.group_by("step", maintain_order=True)
        .agg(
            pl.max_horizontal(pl.col(name).count() for name in known).alias("layers"),
            *(pl.col(name).mean() for name in known),
        )
        .sort("step")
    )


def _entries(block: Block) -> int:
    """Trainable numbers; a diagonal has one a row."""
    return block.shape[0] * (1 if block.view.diagonal else block.shape[1])


def _sides(block: Block) -> tuple[int, int | None]:
    """Rows and columns as they are stored: a gain is a vector, which stands for diag(γ)."""
    return block.shape[0], None if block.view.diagonal else block.shape[1]


def _table(run: Run) -> pl.DataFrame:
    dtypes = run.manifest.get("dtypes", {})
    rows = [
        (b.name, b.role.value, b.depth, b.stack, *_sides(b), _entries(b), dtypes.get(b.parameter))
        for b in run.blocks
    ]
    schema = {
        "block": pl.String,
        "role": pl.String,
        "depth": pl.Int64,
        "stack": pl.String,
        "rows": pl.Int64,
        "columns": pl.Int64,
        "entries": pl.Int64,
        "dtype": pl.String,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")
