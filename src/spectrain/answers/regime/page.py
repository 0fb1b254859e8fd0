"""The page's section on norms: each block's beside that of its noise twin, and what follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from spectrain.answers.finding import Finding
from spectrain.answers.question import Part
from spectrain.answers.regime.finding import block_path, read_regime_series
from spectrain.answers.regime.noise_path import read_groups
from spectrain.answers.regime.row import VERDICTS
from spectrain.core import Block
from spectrain.page.curves import Curve, thinned
from spectrain.page.elements import missing, verdict_chip
from spectrain.page.format import MISSING, number
from spectrain.page.html import Html, element, name, shorten
from spectrain.records import Run

MOST_BLOCKS = 150

_COLUMNS = (
    ("Block", "name of the parameter, or of the part of it that is the block"),
    ("Kind", "matrix, vector or multiplier"),
    ("Regime", "what sets the scale: noise and weight decay, or the signal"),
    ("Since", "the recorded step from which it stayed there"),
    ("Norm / twin", "late in the run, over that of the noise twin from the same first weights"),
    ("Angle", "by which a step turns the weights, in radians, and that of the equilibrium"),
    ("Relaxation", "steps in which a deviation of ‖W‖² falls to 1/e, at the last learning rate"),
    ("Alignment", "cosine of successive updates, and that of noise alone"),
    ("Persistent", "share of the gradient's energy that earlier gradients foretell"),
)


@dataclass(frozen=True, slots=True)
class NormCurves:
    """One block's norm, its noise twin's, and the equilibrium of each moment's settings."""

    name: str
    verdict: str
    curves: list[Curve]


def part(run: Run, blocks: Sequence[Block], finding: Finding[Any, Any]) -> Part:
    """Chart and table, or why there is none."""
    title, norms = "Norms and their noise twins", read_norms(run, blocks, finding)
    if not norms:
        return Part(title, (missing(finding.statement),))
    data = [asdict(found) for found in norms]
    return Part(title, tuple(norms_section(finding, norms)), data, over_steps=True)


def read_norms(run: Run, blocks: Sequence[Block], finding: Finding[Any, Any]) -> list[NormCurves]:
    """Curves of the blocks that have a noise twin, most at most 150."""
    groups, series = read_groups(run), read_regime_series(run)
    verdicts = {row["block"]: str(row["verdict"]) for row in finding.rows}
    found: list[NormCurves] = []
    for block in blocks:
        path, _ = block_path(block, groups.get(block.parameter), series)
        if path is None or len(found) == MOST_BLOCKS:
            continue
        weights = series["weight"][block.name]
        steps = weights["step"].to_numpy()
        curves = [
            _curve("norm", steps, weights["value"].to_numpy()),
            _curve("noise twin", steps, np.sqrt(path.squared)),
            _curve("equilibrium", steps, np.sqrt(path.equilibrium)),
        ]
        kept = [curve for curve in curves if curve.steps]
        found.append(NormCurves(shorten(block.name), verdicts[block.name], kept))
    return found


def norms_section(finding: Finding[Any, Any], norms: Sequence[NormCurves]) -> Sequence[Html]:
    """Chart with its picker, and the table; for the page to put under a heading."""
    note = (
        "Noise twin: the same optimizer and schedule on gradients without signal, from the first "
        "recorded norm on. Equilibrium: where the settings of that step would end."
    )
    options = (
        element("option", f"{found.name} ({found.verdict})", value=place)
        for place, found in enumerate(norms)
    )
    picker = element(
        "p",
        element("label", "Block ", element("select", *options, id="regime-block")),
        class_="controls",
    )
    chart = element(
        "div", id="regime-chart", class_="chart", role="figure", aria_label="Norm and noise twin"
    )
    return (element("p", note, class_="note"), picker, chart, _table(finding.rows))


def _curve(label: str, steps: NDArray[np.int64], values: NDArray[np.float64]) -> Curve:
    known = np.isfinite(values)
    if not known.any():
        return Curve(label, label, [], [], 1)
    frame = pl.DataFrame({"step": steps[known], "value": values[known]})
    curve = thinned(label, frame)
    return Curve(label, label, curve.steps, curve.values, curve.stretch)


def _table(rows: Sequence[Mapping[str, Any]]) -> Html:
    head = element(
        "tr",
        *(
            element("th", text, title=why, scope="col", class_="number" if place > 2 else None)
            for place, (text, why) in enumerate(_COLUMNS)
        ),
    )
    body = (_row(row) for row in rows[:MOST_BLOCKS])
    table = element("table", element("thead", head), element("tbody", *body), id="regimes")
    return element("div", table, class_="scroll regimes", tabindex="0", role="region")


def _row(row: Mapping[str, Any]) -> Html:
    verdict = str(row["verdict"])
    steps = row["relaxation_steps"]
    return element(
        "tr",
        element("th", name(row["block"]), scope="row"),
        element("td", row["kind"]),
        element("td", verdict_chip(verdict, VERDICTS[row["verdict"]].mark), title=row["reason"]),
        _number(MISSING if row["entered"] is None else f"{row['entered']:,}"),
        _number(number(row["ratio"])),
        _number(_beside(row["angle"], row["equilibrium_angle"])),
        _number(MISSING if steps is None else f"{steps:,.0f}"),
        _number(_beside(row["alignment"], row["noise_alignment"])),
        _number(number(row["persistent_energy"], 2)),
    )


def _number(text: str) -> Html:
    return element("td", text, class_="number")


def _beside(value: float | None, expected: float | None) -> str:
    return f"{number(value, 2)} ({number(expected, 2)})"
