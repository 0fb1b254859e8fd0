"""The page's section on norms: each block's beside that of its noise twin, and what follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from spectrain.answers.finding import Finding
from spectrain.answers.question import Part
from spectrain.answers.regime import words
from spectrain.answers.regime.finding import read_regime_series
from spectrain.answers.regime.row import VERDICTS, Memory, RegimeGroup, RegimeRow
from spectrain.answers.twin import read_groups, twin_of
from spectrain.core import Block
from spectrain.page.curves import Curve, thinned
from spectrain.page.elements import missing, verdict_chip
from spectrain.page.format import MISSING, number, percent
from spectrain.page.html import Html, element, name, shorten
from spectrain.page.table import sortable
from spectrain.records import Run

MOST_BLOCKS = 150

_COLUMNS = (
    ("Block", "name of the parameter, or of the part of it that is the block"),
    ("Kind", "matrix, vector or multiplier"),
    ("Regime", "what sets the scale: noise and weight decay, the loss, or the signal"),
    ("Since", "the recorded step from which it stayed there"),
    ("Norm / twin", "late in the run, over that of the noise twin from the same first weights"),
    ("Angle", "by which a step turns the weights, in radians, and that of the equilibrium"),
    ("Relaxation", "steps in which a deviation of ‖W‖² falls to 1/e, the mean over the run"),
    ("Alignment", "cosine of successive updates, and that of noise alone"),
    ("Persistent", "share of the gradient's energy that earlier gradients predict"),
)

_TIMESCALES = (
    ("Parameter group", "as the optimizer holds it"),
    ("Optimizer", "its class"),
    ("Timescale", "steps over which weights average updates, 1/(ηλ) of the mean ηλ"),
    ("At the peak", "the same at the largest ηλ"),
    ("Of the run", "share of the recorded steps"),
    ("Epochs", "passes over the data, where the loop logs epoch"),
    ("Tokens", "where the loop logs the tokens of a step"),
    ("λ", "weight decay, and the one that would bring the timescale within the guideline"),
)


@dataclass(frozen=True, slots=True)
class NormCurves:
    """One block's norm, its noise twin's, and the equilibrium of each moment's settings."""

    name: str
    verdict: str
    curves: list[Curve]


def part(
    run: Run, blocks: Sequence[Block], finding: Finding[RegimeRow, RegimeGroup | Memory]
) -> Part:
    """Chart and tables, or why there are none."""
    title, norms = "Norms and their noise twins", read_norms(run, blocks, finding)
    memories = [group for group in finding.groups if isinstance(group, Memory)]
    timescales = (_timescales(memories),) if memories else ()
    if not norms:
        return Part(title, (missing(finding.statement), *timescales))
    data = [asdict(curves) for curves in norms]
    return Part(title, (*norms_section(finding, norms), *timescales), data, over_steps=True)


def read_norms(
    run: Run, blocks: Sequence[Block], finding: Finding[RegimeRow, RegimeGroup | Memory]
) -> list[NormCurves]:
    """Curves of the blocks that have a noise twin, at most 150."""
    groups, series = read_groups(run), read_regime_series(run)
    verdicts = {row.block: str(row.verdict) for row in finding.rows}
    norms: list[NormCurves] = []
    for block in blocks:
        twin, _ = twin_of(block, groups.get(block.parameter), series)
        if twin is None or len(norms) == MOST_BLOCKS:
            continue
        weights = series["weight"][block.name]
        steps = weights["step"].to_numpy()
        curves = [
            _curve("norm", steps, weights["value"].to_numpy()),
            _curve("noise twin", steps, np.sqrt(twin.path.squared)),
            _curve("equilibrium", steps, np.sqrt(twin.path.equilibrium)),
        ]
        kept = [curve for curve in curves if curve.steps]
        norms.append(NormCurves(shorten(block.name), verdicts[block.name], kept))
    return norms


def norms_section(
    finding: Finding[RegimeRow, RegimeGroup | Memory], norms: Sequence[NormCurves]
) -> Sequence[Html]:
    """Chart with its picker, and the table; for the page to put under a heading."""
    note = (
        "Noise twin: the same optimizer, schedule and size of updates on gradients without signal, "
        "from the first recorded norm on. Equilibrium: where the settings of that step would end."
    )
    options = (
        element("option", f"{curves.name} ({curves.verdict})", value=place, data_block=curves.name)
        for place, curves in enumerate(norms)
    )
    picker = element(
        "p",
        element("label", "Block ", element("select", *options, id="regime-block")),
        class_="controls",
    )
    chart = element(
        "div", id="regime-chart", class_="chart", role="figure", aria_label="Norm and noise twin"
    )
    rows = (_row(row) for row in finding.rows[:MOST_BLOCKS])
    table = sortable(_COLUMNS, rows, id="regimes", label="regimes of the blocks")
    return (element("p", note, class_="note"), picker, chart, table)


def _curve(label: str, steps: NDArray[np.int64], values: NDArray[np.float64]) -> Curve:
    known = np.isfinite(values)
    if not known.any():
        return Curve(label, label, [], [], 1)
    frame = pl.DataFrame({"step": steps[known], "value": values[known]})
    curve = thinned(label, frame)
    return Curve(label, label, curve.steps, curve.values, curve.stretch)


def _row(row: RegimeRow) -> Html:
    return element(
        "tr",
        element("th", name(row.block), scope="row", data_block=shorten(row.block)),
        element("td", row.kind),
        element("td", verdict_chip(row.verdict, VERDICTS[row.verdict].mark), data_hint=row.reason),
        _number(MISSING if row.entered is None else f"{row.entered:,}", row.entered),
        _number(number(row.ratio), row.ratio),
        _number(_beside(row.angle, row.equilibrium_angle), row.angle),
        _number(
            MISSING if row.relaxation_steps is None else words.steps(row.relaxation_steps),
            row.relaxation_steps,
        ),
        _number(_beside(row.alignment, row.noise_alignment), row.alignment),
        _number(number(row.persistent_energy, 2), row.persistent_energy),
    )


def _timescales(memories: Sequence[Memory]) -> Html:
    rows = (
        element(
            "tr",
            element("th", memory.name, scope="row"),
            element("td", memory.optimizer),
            _number(words.steps(memory.steps), memory.steps),
            _number(words.steps(memory.peak_steps), memory.peak_steps),
            _number(percent(memory.share), memory.share),
            _number(number(memory.epochs), memory.epochs),
            _number(number(memory.tokens), memory.tokens),
            _number(_beside(memory.decay, memory.wanted), memory.decay),
        )
        for memory in memories
    )
    return sortable(_TIMESCALES, rows, id="timescales", label="timescales of weight decay")


def _number(text: str, order: float | None) -> Html:
    return element("td", text, class_="number", data_sort=order)


def _beside(value: float | None, expected: float | None) -> str:
    return number(value, 2) if expected is None else f"{number(value, 2)} ({number(expected, 2)})"
