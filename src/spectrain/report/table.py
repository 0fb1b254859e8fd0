"""The table of blocks: what each finding says of each, those that ask for attention first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

from spectrain.answers import QUESTIONS, Finding
from spectrain.answers.question import Concern
from spectrain.core import Block
from spectrain.page.format import MISSING, shape
from spectrain.page.html import Html, element, name, shorten
from spectrain.page.table import ABSENT, Cell, Column, numeric, sortable, text
from spectrain.records import Run

MOST_ROWS = 250

_BLOCK = ("Block", "name of the parameter, or of the part of it that is the block")
_ATTENTION = ("Attention", "what is to be watched or acted on; the gravest first")
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
    """One row a block, sortable by every column; the gravest first, else in the network's order."""
    answered = [
        (column, {row.block: row for row in finding.rows})
        for finding in findings
        for column in _columns(run, finding)
    ]
    concerns = dict(asks_for_attention(blocks, findings))
    ordered = sorted(blocks, key=lambda block: -_weight(concerns.get(block.name, ())))
    headings = [(column.label, column.title) for column in (*_ABOUT, *(c for c, _ in answered))]
    rows = (
        element(
            "tr",
            element("th", name(block.name), scope="row", data_block=shorten(block.name)),
            _attention(concerns.get(block.name, ())).draw(),
            *(column.cell(block).draw() for column in _ABOUT),
            *(
                (column.cell(rows[block.name]) if block.name in rows else ABSENT).draw()
                for column, rows in answered
            ),
        )
        for block in ordered[:MOST_ROWS]
    )
    return sortable([_BLOCK, _ATTENTION, *headings], rows, id="blocks", label="blocks")


def asks_for_attention(
    blocks: Sequence[Block], findings: Sequence[Finding[Any, Any]]
) -> Iterator[tuple[str, list[Concern]]]:
    """The blocks that some answer is concerned about, each with its concerns."""
    by_block: dict[str, list[Concern]] = {}
    for finding in findings:
        judge = QUESTIONS[finding.name].concern
        for row in finding.rows if judge is not None else ():
            if judge is not None and (concern := judge(row)) is not None:
                by_block.setdefault(row.block, []).append(concern)
    for block in blocks:
        if block.name in by_block:
            yield block.name, by_block[block.name]


def _weight(concerns: Sequence[Concern]) -> int:
    return sum(concern.weight for concern in concerns)


def _attention(concerns: Sequence[Concern]) -> Cell:
    if not concerns:
        return ABSENT
    words = "; ".join(concern.text for concern in concerns)
    return Cell(element("span", words, class_="concern"), -_weight(concerns), None)


def _sides(block: Block) -> tuple[int, ...]:
    return block.shape[: 1 if block.view.diagonal else 2]


def _columns(run: Run, finding: Finding[Any, Any]) -> Sequence[Column[Any]]:
    of = QUESTIONS[finding.name].columns
    return () if of is None else of(run)
