"""The columns of the table of blocks on descent, and the ratio by role."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2

import numpy as np
import polars as pl

from spectrain.answers.descent.finding import read_ratios
from spectrain.answers.descent.row import VERDICTS, DescentGroup, DescentRow
from spectrain.answers.series import by_block
from spectrain.page.elements import verdict_chip
from spectrain.page.format import MISSING, number
from spectrain.page.html import Html, element
from spectrain.page.table import Cell, Column, numeric, text
from spectrain.records import Run

_WIDTH, _HEIGHT = 96, 30


def columns(run: Run) -> Sequence[Column[DescentRow]]:
    """Verdict, ratio with its interval and course, measured steps, granularity, activation."""
    ratios = by_block(read_ratios(run))
    return (
        Column(
            "Step favoured",
            "by the one-step guarantees: nuclear rank against stable rank",
            _verdict,
        ),
        Column(
            "nr / st",
            "nuclear rank of the gradient over stable rank of what feeds the block: median over "
            "the last third of the samples, and its 95 % interval",
            _ratio,
        ),
        Column(
            "Measured",
            "decrease of the loss by one spectral step over that by one Euclidean step, each at "
            "its best length, on one batch: where measure_steps was run",
            lambda row: numeric(number(row.measured), row.measured),
        ),
        Column(
            "Granularity",
            "the cut whose guarantee is largest, and how many times that of the next",
            lambda row: text(granularity(row)),
        ),
        Column(
            "Course",
            "the ratio from sample to sample, 1/32 to 32; the band is ½ to 2",
            lambda row: Cell(_sparkline(ratios.get(row.block)), row.course, row.course),
        ),
        Column(
            "Fed by",
            "the activation whose stable rank was taken, and over how many columns",
            lambda row: text(fed_by(row)),
        ),
    )


def granularity(row: DescentRow) -> str:
    """The favoured cut of a block's gradient, and how many times the next one's guarantee.

    Example:
        >>> from spectrain.core import Role
        >>> def cut(name, gain):
        ...     about = {"block": "w", "role": Role.OTHER, "depth": None, "shape": (2, 2)}
        ...     return DescentRow(**about, granularity=name, granularity_gain=gain)
        >>> granularity(cut("per head", 1.53)), granularity(cut("any", 1.0))
        ('per head ×1.5', 'any')
    """
    if row.granularity is None:
        return MISSING
    gain = f" ×{number(row.granularity_gain, 2)}"
    return row.granularity if row.granularity == "any" else row.granularity + gain


def fed_by(row: DescentRow) -> str:
    """The activation and its columns."""
    return MISSING if row.columns is None else f"{row.activation} ({row.columns:,})"


def interval(row: DescentRow) -> str:
    """The ends of the ratio's interval."""
    return "" if row.low is None else f"{number(row.low, 2)}…{number(row.high, 2)}"


def by_role(group: DescentGroup) -> str:
    """The ratio of a role in a comparison."""
    return f"{number(group.ratio)}, spectral {group.spectral} of {group.blocks}"


def _verdict(row: DescentRow) -> Cell:
    chip = verdict_chip(row.verdict, VERDICTS[row.verdict].mark)
    return Cell(chip, str(row.verdict), row.reason or row.note)


def _ratio(row: DescentRow) -> Cell:
    spread = element("span", f" {interval(row)}", class_="interval")
    return numeric(Html(f"{number(row.ratio)} {spread}"), row.ratio)


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
