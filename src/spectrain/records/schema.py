"""Columns of the two tables, and frames made of records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from spectrain.core import InputError, Record, SpectrumRecord
from spectrain.records.layout import METRICS, SPECTRA

SCHEMA_VERSION = 2
"""Version of the run folder's format. A reader refuses a version newer than its own."""

SAMPLE = "sample"
"""Column on disk: how many steps of its series (block, source, measure) were recorded before."""

SCHEMAS = {
    METRICS: pl.Schema(
        {
            "step": pl.Int64(),
            "block": pl.String(),
            "source": pl.String(),
            "measure": pl.String(),
            "index": pl.Int32(),
            "value": pl.Float64(),
            "error": pl.Float64(),
            "count": pl.Int64(),
            "reason": pl.String(),
            "rank": pl.Int32(),
            SAMPLE: pl.Int64(),
        }
    ),
    SPECTRA: pl.Schema(
        {
            "step": pl.Int64(),
            "block": pl.String(),
            "source": pl.String(),
            "values": pl.List(pl.Float32()),
            "method": pl.String(),
            "error": pl.Float64(),
            "count": pl.Int64(),
            "reason": pl.String(),
            "rank": pl.Int32(),
            SAMPLE: pl.Int64(),
        }
    ),
}


def metrics_frame(records: Sequence[Record], *, samples: Sequence[int], rank: int) -> pl.DataFrame:
    """Numbers as rows of the metrics table."""
    columns = {
        "step": [record.step for record in records],
        "block": [record.block for record in records],
        "source": [record.source for record in records],
        "measure": [record.measure for record in records],
        "index": [record.index for record in records],
        "value": [record.value for record in records],
        "error": [record.error for record in records],
        "count": [record.count for record in records],
        "reason": [record.reason for record in records],
        "rank": [rank] * len(records),
        SAMPLE: samples,
    }
    return _frame(METRICS, columns)


def spectra_frame(
    records: Sequence[SpectrumRecord], *, samples: Sequence[int], rank: int
) -> pl.DataFrame:
    """Spectra as rows of the spectra table, their values in float32."""
    columns = {
        "step": [record.step for record in records],
        "block": [record.block for record in records],
        "source": [record.source for record in records],
        "values": _lists([record.values for record in records]),
        "method": [record.method for record in records],
        "error": [record.error for record in records],
        "count": [record.count for record in records],
        "reason": [record.reason for record in records],
        "rank": [rank] * len(records),
        SAMPLE: samples,
    }
    return _frame(SPECTRA, columns)


def storable(text: str) -> str:
    """The text itself where UTF-8 can hold it; else with its lone surrogates spelled out."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _frame(table: str, columns: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([_series(table, name, columns[name]) for name in SCHEMAS[table]])


def _series(table: str, name: str, values: Any) -> pl.Series:
    dtype = SCHEMAS[table][name]
    try:
        return pl.Series(name, values, dtype=dtype)
    except UnicodeEncodeError:
        escaped = [None if text is None else storable(text) for text in values]
        return pl.Series(name, escaped, dtype=dtype)
    except (TypeError, OverflowError) as error:
        raise InputError(
            f"a record's {name} does not fit into {dtype}: {str(error).splitlines()[0]}",
            remedy="pass plain numbers, strings or None",
        ) from error


def _lists(arrays: Sequence[NDArray[np.floating]]) -> pl.Series:
    """One list per array: Polars itself would make equally long arrays a fixed-size column."""
    if not arrays:
        return pl.Series(dtype=pl.List(pl.Float32))
    rows = np.arange(len(arrays))
    flat = pl.DataFrame(
        {
            "row": np.repeat(rows, [len(array) for array in arrays]),
            "values": np.concatenate(arrays).astype(np.float32, copy=False),
        }
    )
    lists = flat.group_by("row", maintain_order=True).agg("values")
    return (
        pl.DataFrame({"row": rows})
        .join(lists, on="row", how="left", maintain_order="left")
        .get_column("values")
        .fill_null(pl.Series([[]], dtype=pl.List(pl.Float32)))
    )
