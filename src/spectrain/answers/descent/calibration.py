"""Gradients whose nuclear rank is known, under white noise that replicas measure."""

from __future__ import annotations

import torch
from torch import Generator

from spectrain.answers.course import Gradients, PlantedRun, Script
from spectrain.answers.descent.row import DescentGroup, DescentRow
from spectrain.answers.finding import Finding
from spectrain.answers.trend import ENOUGH

_SHAPES = {"a": (16, 24), "b": (24, 16)}
_FAR = 1.3
"""Factor by which a corrected nuclear rank may miss the truth."""


def _rank_of(directions: int, generator: Generator) -> Script:
    """So many equal directions, at 0.2 to 5 times the energy of the noise of a microbatch."""
    signals = {}
    for name, (m, n) in _SHAPES.items():
        u, _ = torch.linalg.qr(torch.randn(m, directions, generator=generator))
        v, _ = torch.linalg.qr(torch.randn(n, directions, generator=generator))
        ratio = 0.2 * 25 ** float(torch.rand(1, generator=generator))
        signals[name] = (ratio * m * n / directions) ** 0.5 * u @ v.mT

    def gradients(step: int) -> Gradients:
        return {
            name: signal + torch.randn(signal.shape, generator=generator)
            for name, signal in signals.items()
        }

    return Script(gradients)


def _few(generator: Generator) -> Script:
    return _rank_of(2, generator)


def _far_off(finding: Finding[DescentRow, DescentGroup]) -> bool:
    known = [row.nuclear_rank for row in finding.rows if row.corrected and row.nuclear_rank]
    return any(not 2 / _FAR <= rank <= 2 * _FAR for rank in known)


def _corrected(finding: Finding[DescentRow, DescentGroup]) -> bool:
    return all(row.corrected for row in finding.rows)


_MEASURES = (
    *("gradient/nuclear_rank", "input/stable_rank"),
    *("noise/signal_power", "noise/noise_power", "noise/noise_scale"),
)
PLANTED = (
    PlantedRun(
        name="two directions in white noise, 8 microbatches",
        claim=f"a corrected nuclear rank is off by a factor {_FAR:g}",
        true=False,
        draw=_few,
        said=_far_off,
        shapes=_SHAPES,
        steps=ENOUGH,
        microbatches=8,
        measures=_MEASURES,
    ),
    PlantedRun(
        name="two directions in white noise, 8 microbatches",
        claim="the nuclear rank is corrected",
        true=True,
        draw=_few,
        said=_corrected,
        shapes=_SHAPES,
        steps=ENOUGH,
        microbatches=8,
        measures=_MEASURES,
    ),
)
