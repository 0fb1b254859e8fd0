"""Steps of Muon that are sound, and steps that are not what they are meant to be."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Generator
from torch.nn import Parameter
from torch.optim import Muon, Optimizer

from spectrain.answers.audit.row import AuditRow, Verdict
from spectrain.answers.course import Gradients, PlantedRun, Script
from spectrain.answers.finding import Finding

_MEASURES = ("direction/*", "update/frobenius_norm", "gradient/frobenius_norm")
_SHAPES = {"a": (12, 20), "b": (24, 8)}


def _noise(generator: Generator) -> Script:
    """Gaussian gradients, of which Muon's momentum has full rank."""

    def gradients(step: int) -> Gradients:
        return {name: torch.randn(shape, generator=generator) for name, shape in _SHAPES.items()}

    return Script(gradients)


def _narrow(generator: Generator) -> Script:
    """Gradients of rank 2 in the same directions: the momentum lacks all others."""
    bases = {name: torch.randn(m, 2, generator=generator) for name, (m, _) in _SHAPES.items()}

    def gradients(step: int) -> Gradients:
        return {
            name: bases[name] @ torch.randn(2, n, generator=generator)
            for name, (_, n) in _SHAPES.items()
        }

    return Script(gradients)


def _muon(parameters: Iterable[Parameter]) -> Optimizer:
    return Muon(parameters, lr=0.02)


def _halved(parameters: Iterable[Parameter]) -> Optimizer:
    """A Muon whose steps are halved behind its back."""
    given = list(parameters)
    muon = Muon(given, lr=0.02)
    before: list[torch.Tensor] = []

    @torch.no_grad()
    def keep(*_: object) -> None:
        before[:] = [p.clone() for p in given]

    @torch.no_grad()
    def halve(*_: object) -> None:
        for old, new in zip(before, given, strict=True):
            new.lerp_(old, 0.5)

    muon.register_step_pre_hook(keep)
    muon.register_step_post_hook(halve)
    return muon


def _says(verdict: Verdict, finding: Finding[AuditRow, None]) -> bool:
    return any(row.verdict is verdict for row in finding.rows)


def _skewed(finding: Finding[AuditRow, None]) -> bool:
    return _says(Verdict.NOT_ORTHOGONAL, finding)


def _shrunk(finding: Finding[AuditRow, None]) -> bool:
    return _says(Verdict.SHRUNK, finding)


_SKEWED, _SHRUNK = "an update is not orthogonal", "an update is shrunk"
PLANTED = (
    PlantedRun(
        name="torch.optim.Muon on Gaussian gradients",
        claim=_SKEWED,
        true=False,
        draw=_noise,
        said=_skewed,
        shapes=_SHAPES,
        steps=5,
        measures=_MEASURES,
        optimizer=_muon,
    ),
    PlantedRun(
        name="torch.optim.Muon on Gaussian gradients",
        claim=_SHRUNK,
        true=False,
        draw=_noise,
        said=_shrunk,
        shapes=_SHAPES,
        steps=5,
        measures=_MEASURES,
        optimizer=_muon,
    ),
    PlantedRun(
        name="Muon on gradients of rank 2",
        claim=_SKEWED,
        true=True,
        draw=_narrow,
        said=_skewed,
        shapes=_SHAPES,
        steps=5,
        measures=_MEASURES,
        optimizer=_muon,
    ),
    PlantedRun(
        name="Muon whose steps are halved after it",
        claim=_SHRUNK,
        true=True,
        draw=_noise,
        said=_shrunk,
        shapes=_SHAPES,
        steps=5,
        measures=_MEASURES,
        optimizer=_halved,
    ),
)
