"""The eigenvalues of each weight as a density, with its fitted bulk, its edges and its spikes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float

from spectrain.answers import Finding
from spectrain.answers.finding import Group
from spectrain.answers.randomness.row import RandomnessRow
from spectrain.core import Block, Source
from spectrain.page.format import rounded
from spectrain.records import Run
from spectrain.rmt import MarchenkoPastur

MOST_BLOCKS = 400
BINS = 32
CURVE = 60
"""Points of the fitted law."""

MOST_SPIKES = 60
"""Spikes that are drawn one by one, the largest first."""

_AT_ONCE = 32  # blocks whose spectra are in memory together


@dataclass(frozen=True, slots=True)
class Bulk:
    """A fitted Marchenko-Pastur law.

    Attributes:
        lower: its lower edge.
        upper: its upper edge.
        x: points between them.
        y: its density there, times its area.
        share: the area, of all eigenvalues.
    """

    lower: float
    upper: float
    x: list[float | None]
    y: list[float | None]
    share: float


@dataclass(frozen=True, slots=True)
class Density:
    """Eigenvalues σ² of a weight at its last recorded step.

    Attributes:
        step: that step.
        edges: of the bins, up to the largest eigenvalue that is no spike.
        heights: density of all eigenvalues in each bin.
        spikes: eigenvalues that stand significantly above the bulk, the largest first.
        more: further spikes.
        bulk: ``None`` where no law fits well enough to draw one.
    """

    step: int
    edges: list[float | None]
    heights: list[float | None]
    spikes: list[float | None]
    more: int
    bulk: Bulk | None


def read_densities(
    run: Run, blocks: Sequence[Block], findings: Iterable[Finding[RandomnessRow, Group]]
) -> dict[str, Density]:
    """Of every block of which the answer *randomness* says something, 400 at most."""
    rows = {
        row.block: row
        for finding in findings
        if finding.name == "randomness"
        for row in finding.rows
        if row.step is not None and row.spikes is not None
    }
    chosen = [block for block in blocks if block.name in rows][:MOST_BLOCKS]
    by_block: dict[str, Density] = {}
    for start in range(0, len(chosen), _AT_ONCE):
        some = chosen[start : start + _AT_ONCE]
        spectra = run.spectra(source=Source.WEIGHT, block=[block.name for block in some])
        for block in some:
            row = rows[block.name]
            own = spectra.filter(pl.col("block") == block.name, pl.col("step") == row.step)
            values = np.asarray(own["values"][0] if own.height else (), dtype=np.float64) ** 2
            if (made := density(values, row)) is not None:
                by_block[block.name] = made
    return by_block


def density(eigenvalues: Float[np.ndarray, " n"], row: RandomnessRow) -> Density | None:
    """The density of eigenvalues as the row judges them; ``None`` where there is none to draw."""
    spikes = row.spikes or 0
    values = np.sort(eigenvalues[np.isfinite(eigenvalues)])[::-1]
    rest = values[spikes:]
    if row.step is None or not len(rest) or not rest[0] > 0:
        return None
    bulk = _bulk(row)
    top = max(rest[0], bulk.upper if bulk else 0.0)
    edges = np.linspace(0.0, top * (1 + 1e-12), BINS + 1)
    heights = np.histogram(rest, edges)[0] / (np.diff(edges) * len(values))
    apart = values[:spikes]
    return Density(
        row.step,
        _drawn(edges),
        _drawn(heights),
        _drawn(apart[:MOST_SPIKES]),
        max(len(apart) - MOST_SPIKES, 0),
        bulk,
    )


def _bulk(row: RandomnessRow) -> Bulk | None:
    if row.variance is None or not row.bulk_fraction or row.variance <= 0:
        return None
    repeated = row.repeated or 0
    columns, rows = min(row.shape) - (row.zeros or 0) - repeated, max(row.shape) - repeated
    if not 0 < columns <= rows:
        return None
    law = MarchenkoPastur(columns / rows, variance=row.variance, area=row.bulk_fraction)
    lower, upper = law.edges
    x = lower + (upper - lower) * (1 - np.cos(np.linspace(0, np.pi, CURVE))) / 2
    return Bulk(lower, upper, _drawn(x), _drawn(law.density(x)), row.bulk_fraction)


def _drawn(values: Iterable[float]) -> list[float | None]:
    return [rounded(float(value)) for value in values]
