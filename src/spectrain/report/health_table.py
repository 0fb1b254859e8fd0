"""The table of an inspection: a row a block, sortable by every column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from spectrain.page.format import MISSING, number, percent, shape
from spectrain.page.html import Html, element, name, shorten
from spectrain.page.table import sortable

MOST_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Column:
    """A measure in the table.

    Attributes:
        key: column of the frame.
        label: heading.
        title: what it means.
        share: shown in per cent.
        count: a whole number.
        error: column of its standard error.
    """

    key: str
    label: str
    title: str
    share: bool = False
    count: bool = False
    error: str | None = None

    def show(self, value: float | None) -> str:
        """A value for readers.

        Example:
            >>> Column("spikes", "spikes", "", count=True).show(84.0)
            '84'
        """
        if self.count and value is not None:
            return f"{value:,.0f}"
        return (percent if self.share else number)(value)


WEIGHTS = (
    Column("operator_norm", "‖W‖ₒₚ", "largest singular value", error="operator_norm_error"),
    Column("stable_rank", "stable rank", "‖W‖²_F/‖W‖²_op", error="stable_rank_error"),
    Column(
        "effective_share",
        "effective rank",
        "exp of the entropy of the singular values, as a share of full rank",
        share=True,
    ),
    Column(
        "bulk_fraction",
        "random bulk",
        "share of the eigenvalues that belong to a random bulk, ± its standard error",
        share=True,
        error="bulk_fraction_error",
    ),
    Column("spikes", "spikes", "eigenvalues that stand significantly above the bulk", count=True),
    Column(
        "exponent",
        "exponent",
        "of the power law that fits the largest eigenvalues best, ± its standard error; some tail "
        "fits best in every spectrum",
        error="exponent_error",
    ),
)
CHANGES = (
    Column("relative_change", "relative change", "‖W₁ − W₀‖_F/‖W₀‖_F", share=True),
    Column(
        "signal_rank", "signal rank", "singular values that noise does not account for", count=True
    ),
    Column("change_cosine", "cosine", "⟨A, B⟩/(‖A‖‖B‖) of the two changes"),
    Column("sign_conflict", "sign conflict", "where the changes have opposite signs", share=True),
    Column("left_interference", "left overlap", "of the leading left directions of the changes"),
    Column("right_interference", "right overlap", "of the leading right directions"),
    Column("stable_rank", "stable rank", "of the change"),
    Column("effective_share", "effective rank", "of the change, as a share of full", share=True),
    Column("left_overlap", "left overlap", "of the ten leading left directions, before and after"),
    Column("right_overlap", "right overlap", "of the ten leading right directions"),
    Column(
        "lora_rank", "LoRA rank", "least rank that keeps the wanted share of the change", count=True
    ),
)


def health_table(frame: pl.DataFrame, columns: Sequence[Column]) -> Html:
    """One row for each block of the last step."""
    steps = frame["step"].n_unique()
    headings = [("Block", "name of the parameter, or of the part of it that is the block")]
    headings += [("Role", "what the block does in its network"), ("Layer", "from 0")]
    headings += [("Shape", "outputs × inputs"), ("Type", "of the numbers on file")]
    headings += [(column.label, column.title) for column in columns]
    if "tail" in frame.columns and frame["tail"].drop_nulls().len():
        headings.append(("spectrum", "what it is beside a random bulk"))
    headings.append(("Note", "why a value is missing, or what qualifies it"))
    last = frame.filter(pl.col("step") == pl.col("step").max()) if steps > 1 else frame
    tails = len(headings) > len(columns) + 6
    rows = (_row(row, columns, tails) for row in last.head(MOST_ROWS).iter_rows(named=True))
    return sortable(headings, rows, id="blocks", label="blocks", class_="health")


def _row(row: Mapping[str, Any], columns: Sequence[Column], tails: bool) -> Html:
    depth, sides = row["depth"], [n for n in (row["rows"], row["columns"]) if n is not None]
    reason = row["reason"] or ""
    return element(
        "tr",
        element("th", name(row["block"]), scope="row", data_block=shorten(row["block"])),
        _text(row["role"]),
        _number(_layer(row), -1 if depth is None else depth),
        _number(shape(sides), row["entries"]),
        _text(row["dtype"] or MISSING),
        *(_measure(row, column) for column in columns),
        *((_text(row["tail"] or MISSING),) if tails else ()),
        element("td", shorten(reason), class_="reason", data_sort=reason or None),
    )


def _layer(row: Mapping[str, Any]) -> str:
    return MISSING if row["depth"] is None else f"{row['stack']} {row['depth']}".lstrip()


def _measure(row: Mapping[str, Any], column: Column) -> Html:
    value = row[column.key]
    error = row.get(column.error) if column.error else None
    spread = "" if error is None or value is None else f" ± {column.show(error)}"
    return element(
        "td",
        column.show(value),
        element("span", spread, class_="spread") if spread else "",
        class_="number",
        data_sort=value,
    )


def _text(text: str) -> Html:
    return element("td", text, data_sort=text)


def _number(text: str, order: float) -> Html:
    return element("td", text, class_="number", data_sort=order)
