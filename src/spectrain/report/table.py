"""The table of blocks: what each finding says of each, with its course as a small curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log2, prod
from typing import Any

import numpy as np
import polars as pl

from spectrain.core import Block
from spectrain.findings import Finding
from spectrain.findings.descent import read_ratios
from spectrain.findings.series import by_block
from spectrain.records import Run
from spectrain.report.format import MISSING, granularity, number, percent, shape
from spectrain.report.html import Html, element, name, shorten

MOST_ROWS = 600
MARKS = {
    "spectral": "▲",
    "euclidean": "■",
    "open": "○",
    "falling": "↘",
    "rising": "↗",
    "no trend": "→",
    "not enough data": "·",
}
"""Said beside the colour, never by colour alone."""

_COLUMNS = (
    ("Block", "name of the parameter, or of the part of it that is the block"),
    ("Role", "what the block does in its network"),
    ("Layer", "number of the layer that holds it, from 0"),
    ("Shape", "outputs × inputs"),
    ("Step favoured", "by the one-step guarantees: nuclear rank against stable rank"),
    (
        "nr / st",
        "nuclear rank of the gradient over stable rank of what feeds the block: median over "
        "the last third of the samples, and its 95 % interval",
    ),
    (
        "Measured",
        "decrease of the loss by one spectral step over that by one Euclidean step, each at its "
        "best length, on one batch: where measure_steps was run",
    ),
    (
        "Granularity",
        "the cut whose guarantee is largest, and how many times that of the next",
    ),
    ("Course", "the ratio from sample to sample, 1/32 to 32; the band is ½ to 2"),
    ("Fed by", "the activation whose stable rank was taken, and over how many columns"),
    ("Gradient rank", "whether its effective rank falls or rises"),
    ("Early → late", "effective rank as a share of full rank, first and last third"),
)
_WIDTH, _HEIGHT = 96, 30


def blocks_table(run: Run, blocks: Sequence[Block], findings: Sequence[Finding]) -> Html:
    """One row a block, sortable by every column."""
    evidence = {finding.name: {row["block"]: row for row in finding.rows} for finding in findings}
    ratios = by_block(read_ratios(run))
    head = element(
        "tr",
        *(
            element("th", element("button", label, type="button", title=title), scope="col")
            for label, title in _COLUMNS
        ),
    )
    rows = (
        _row(
            block,
            evidence["descent"][block.name],
            evidence["rank"][block.name],
            ratios.get(block.name),
        )
        for block in blocks[:MOST_ROWS]
    )
    return element(
        "table",
        element("thead", head),
        element("tbody", *rows),
        id="blocks",
    )


def verdict_chip(verdict: str) -> Html:
    """A verdict with its mark and colour."""
    mark = element("span", MARKS[verdict], class_="mark", aria_hidden="true")
    return element("span", mark, f" {verdict}", class_=f"verdict {verdict.replace(' ', '-')}")


def _row(
    block: Block,
    descent: Mapping[str, Any],
    rank: Mapping[str, Any],
    ratios: pl.DataFrame | None,
) -> Html:
    change = (
        MISSING if rank["early"] is None else f"{percent(rank['early'])} → {percent(rank['late'])}"
    )
    columns = descent["columns"]
    fed = MISSING if columns is None else f"{descent['activation']} ({columns:,})"
    depth, sides = block.depth, block.shape[: 1 if block.view.diagonal else 2]
    return element(
        "tr",
        element("th", name(block.name), scope="row", data_sort=shorten(block.name)),
        _text(str(block.role)),
        _number(block.layer or MISSING, -1 if depth is None else depth),
        _number(shape(sides), prod(sides)),
        _verdict(descent),
        _ratio(descent),
        _number(number(descent["measured"]), descent["measured"]),
        _text(granularity(descent)),
        element("td", _sparkline(ratios), title=descent["course"], data_sort=descent["course"]),
        _text(fed),
        _verdict(rank),
        _number(change, rank["late"]),
    )


def _text(text: str) -> Html:
    return element("td", text, data_sort=text)


def _number(text: str, order: float | None) -> Html:
    return element("td", text, class_="number", data_sort=order)


def _ratio(row: Mapping[str, Any]) -> Html:
    interval = "" if row["low"] is None else f"{number(row['low'], 2)}…{number(row['high'], 2)}"
    return element(
        "td",
        number(row["ratio"]),
        " ",
        element("span", interval, class_="interval"),
        class_="number",
        data_sort=row["ratio"],
    )


def _verdict(row: Mapping[str, Any]) -> Html:
    reason = row["reason"] or row.get("note")
    return element("td", verdict_chip(row["verdict"]), data_sort=row["verdict"], title=reason)


def _sparkline(ratios: pl.DataFrame | None) -> Html:
    """The ratio from sample to sample, between 1/32 and 32."""
    if ratios is None:
        return Html(MISSING)
    kept = ratios["ratio"][:: -(-ratios.height // 36)].to_list()
    pitch = (_WIDTH - 6) / max(len(kept) - 1, 1)
    points = [(3 + pitch * place, _height(ratio)) for place, ratio in enumerate(kept)]
    band = element(
        "rect", x=0, y=f"{_height(2):.1f}", width=_WIDTH, height=f"{_height(0.5) - _height(2):.1f}"
    )
    return element(
        "svg",
        band,
        element("polyline", points=" ".join(f"{x:.0f},{y:.1f}" for x, y in points)),
        element("circle", cx=f"{points[-1][0]:.0f}", cy=f"{points[-1][1]:.1f}", r=2),
        class_="spark",
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        width=_WIDTH,
        height=_HEIGHT,
        role="img",
        aria_label="ratio through training",
    )


def _height(ratio: float) -> float:
    return _HEIGHT / 2 - (_HEIGHT / 2 - 2) * float(np.clip(log2(ratio) / 5, -1, 1))
