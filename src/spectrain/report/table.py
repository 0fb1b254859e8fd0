"""The table of blocks: what each finding says of each."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from spectrain.answers import QUESTIONS, Finding
from spectrain.core import Block
from spectrain.page.format import MISSING, shape
from spectrain.page.html import Html, element, name, shorten
from spectrain.page.table import ABSENT, Column, numeric, sortable_head, text
from spectrain.records import Run

MOST_ROWS = 600

_BLOCK = ("Block", "name of the parameter, or of the part of it that is the block")
_ABOUT: tuple[Column[Block], ...] = (
    Column("Role", "what the block does in its network", lambda block: text(str(block.role))),
    Column(
        "Layer",
        "number of the layer that holds it, from 0",
        lambda block: numeric(block.layer or MISSING, -1 if block.depth is None else block.depth),
    ),
    Column(
        "Shape",
        "outputs × inputs",
        lambda block: numeric(shape(_sides(block)), prod(_sides(block))),
    ),
)


def blocks_table(run: Run, blocks: Sequence[Block], findings: Sequence[Finding[Any, Any]]) -> Html:
    """One row a block, sortable by every column."""
    told = [
        (column, {row.block: row for row in finding.rows})
        for finding in findings
        for column in _columns(run, finding)
    ]
    headings = [(column.label, column.title) for column in (*_ABOUT, *(c for c, _ in told))]
    rows = (
        element(
            "tr",
            element("th", name(block.name), scope="row", data_sort=shorten(block.name)),
            *(column.cell(block).draw() for column in _ABOUT),
            *(
                (column.cell(rows[block.name]) if block.name in rows else ABSENT).draw()
                for column, rows in told
            ),
        )
        for block in blocks[:MOST_ROWS]
    )
    return element(
        "table", sortable_head([_BLOCK, *headings]), element("tbody", *rows), id="blocks"
    )


def _sides(block: Block) -> tuple[int, ...]:
    return block.shape[: 1 if block.view.diagonal else 2]


def _columns(run: Run, finding: Finding[Any, Any]) -> Sequence[Column[Any]]:
    of = QUESTIONS[finding.name].columns
    return () if of is None else of(run)
