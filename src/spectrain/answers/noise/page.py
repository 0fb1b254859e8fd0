"""The part of the page on noise: plateaus, gaps, echoes and angles of blocks and directions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np

from spectrain.answers.finding import Finding
from spectrain.answers.noise.row import NoiseGroup, NoiseRow, Scale
from spectrain.answers.noise.samples import Directions, read_directions
from spectrain.answers.question import Part
from spectrain.core import Block
from spectrain.matrix.polar import QUINTIC
from spectrain.noise import batch_cost
from spectrain.page.format import rounded
from spectrain.page.html import Html, element
from spectrain.records import Run

MOST_BLOCKS = 200
"""Blocks whose directions a page holds."""

CHARTS = (
    ("plateau", "Predicted against measured plateau", "median echo of the leading directions"),
    ("gap", "Echo gap γ against noise strength η", "both 0 without noise"),
    ("echo", "Echo against σ", "with what isotropic (dotted) and proportional noise predict"),
    ("angle", "Angles against σ", "left ● and right ○, to the direction without noise"),
    ("spacing", "Gap to the next σ", "both logarithmic"),
    ("cosine", "√d cos θ against σ", "left ● and right ○, d the length of the vector"),
    ("share", "Echo against σ/‖G‖", "with the curve of Muon's Newton-Schulz iteration"),
)
"""Name, title and what is drawn."""


COST = (
    "cost",
    "Steps against examples",
    "what each batch size costs, over the least possible; ◆ the batch of this run, ○ that at the "
    "noise scale",
)
"""The chart of the whole network."""


def part(run: Run, blocks: Sequence[Block], finding: Finding[NoiseRow, NoiseGroup]) -> Part | None:
    """The cost of the batch, and charts of the blocks whose directions were measured."""
    entries = read_noise(run, blocks)
    cost = next((cost_curve(g.scale) for g in finding.groups if g.network), None)
    if not entries and cost is None:
        return None
    data = {"blocks": entries, "curve": newton_schulz_curve(), "cost": cost}
    body = chain(_cost_chart(cost), noise_charts(entries) if entries else ())
    return Part("Signal and noise of the gradients", tuple(body), data)


def cost_curve(scale: Scale) -> dict[str, Any] | None:
    """Steps and examples over the least possible at batches around the noise scale.

    Returns:
        ``batch``, ``steps`` and ``examples`` of the curve, the same of this run under ``now``,
        and the ``unit``; ``None`` where the noise scale is not known.
    """
    if not scale.noise_scale or not scale.batch:
        return None
    ends = sorted((scale.batch, scale.noise_scale))
    batches = np.geomspace(ends[0] / 30, ends[1] * 30, 121).tolist()
    costs = [batch_cost(batch, scale.noise_scale) for batch in batches]
    return {
        "batch": [rounded(batch) for batch in batches],
        "steps": [rounded(cost.steps) for cost in costs],
        "examples": [rounded(cost.examples) for cost in costs],
        "now": [rounded(x) for x in (scale.batch, scale.steps_cost, scale.examples_cost)],
        "scale": rounded(scale.noise_scale),
        "unit": scale.unit,
    }


def _cost_chart(cost: dict[str, Any] | None) -> Iterator[Html]:
    if cost is not None:
        yield element("div", _figure(*COST), class_="multiples noise")
        yield element(
            "p",
            "The noise scale and this curve are those of SGD (McCandlish et al. 2018); an "
            "optimizer that preconditions or orthogonalizes has a scale of its own.",
            class_="note",
        )


def _figure(name: str, title: str, caption: str) -> Html:
    return element(
        "figure",
        element("figcaption", element("b", title), f" {caption}"),
        element("div", id=f"noise-{name}", class_="chart", role="figure", aria_label=title),
    )


def read_noise(run: Run, blocks: Sequence[Block]) -> list[dict[str, Any]]:
    """The last sampled directions of every block that has some."""
    directions = read_directions(run)
    with_directions = [block for block in blocks if block.name in directions]
    return [_entry(block, directions[block.name][-1]) for block in with_directions[:MOST_BLOCKS]]


def newton_schulz_curve(points: int = 120) -> dict[str, list[float | None]]:
    """What five steps of Muon's iteration make of a share σ/‖G‖_F.

    Example:
        >>> curve = newton_schulz_curve()
        >>> 0.6 < curve["y"][-1] < 1.2
        True
    """
    x = np.geomspace(1e-3, 1.0, points)
    y, (a, b, c) = x.copy(), QUINTIC
    for _ in range(5):
        y = a * y + b * y**3 + c * y**5
    return {"x": [rounded(float(v)) for v in x], "y": [rounded(float(v)) for v in y]}


def noise_charts(entries: Sequence[dict[str, Any]]) -> Iterator[Html]:
    """The choice of a block and the places that the script draws into."""
    options = (
        element("option", entry["block"], value=number, data_block=entry["block"])
        for number, entry in enumerate(entries)
    )
    yield element(
        "p",
        "One point a block, or a direction of one, at its last sample; colour is depth, from first "
        "(light) to last layer. The block chosen here is drawn in full. What stands at a point "
        "says whether its direction is signal.",
        class_="note",
    )
    yield element(
        "p",
        element("label", "Block ", element("select", *options, id="noise-block")),
        class_="controls",
    )
    yield element("div", *(_figure(*chart) for chart in CHARTS), class_="multiples noise")


def _entry(block: Block, last: Directions) -> dict[str, Any]:
    values = last.values
    return {
        "block": block.name,
        "role": str(block.role),
        "depth": block.depth,
        "shape": list(block.shape),
        "step": last.step,
        "replicas": last.replicas,
        "norm": _number(last.norm),
        "kind": last.kind,
        "zeta_emp": _number(values.get("zeta_emp")),
        "zeta_pred": _number(values.get("zeta_pred")),
        "eta": _number(values.get("eta_mult")),
        "gamma": _number(values.get("gamma_echo")),
        **{
            name: [_number(value) for value in getattr(last, name)]
            for name in (
                *("sigma", "echo", "echo_error", "left", "right", "isotropic", "proportional", "p"),
            )
        },
    }


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else rounded(value)
