"""What Adam makes of a low-rank gradient, and of its scale: no training, one matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from spectrain.matrix import diagonal_spectrum, effective_rank
from spectrain.optim import Intervened
from spectrain.optim.interventions import Compose, KeepTop, Orthonormalize, Scale
from spectrain_studies.frame import Experiment, Outcome
from spectrain_studies.rank.config import RankConfig


@dataclass(frozen=True)
class ReinflationCase:
    """Independent Gaussian gradients of one matrix, projected on their leading directions."""

    side: int = 256
    ranks: tuple[int, ...] = (1, 5, 10)
    steps: int = 20
    seed: int = 0


def run_reinflation(case: ReinflationCase) -> Outcome:
    """Effective rank of Adam's update, and how far Adam tells c·P from P.

    Returns:
        ``first``, ``last``: effective rank of the first and last update, one a rank;
        ``on_update``: the same of a projected update; ``scale``: relative distance between weights
        trained on orthonormal gradients and on 100 times as large ones.
    """
    given = [_gradient(case, step) for step in range(case.steps)]
    found: dict[str, list[float]] = {"first": [], "last": [], "on_update": []}
    for rank in case.ranks:
        ranks = _update_ranks(given, gradient=KeepTop(rank))
        found["first"].append(ranks[0])
        found["last"].append(ranks[-1])
        found["on_update"].append(_update_ranks(given[:1], update=KeepTop(rank))[0])
    small, large = (
        _trained(given, gradient=Compose([Orthonormalize("exact"), Scale(factor)]))[-1]
        for factor in (1.0, 100.0)
    )
    return {**found, "scale": ((small - large).norm() / small.norm()).item()}


def _trained(given: list[torch.Tensor], **intervention: object) -> list[torch.Tensor]:
    """The weights after every step, from zero."""
    w = nn.Parameter(torch.zeros_like(given[0]))
    inner = torch.optim.Adam([w], lr=0.01, eps=1e-16)
    optimizer = Intervened(inner, **intervention)  # type: ignore[arg-type]
    weights = []
    for gradient in given:
        w.grad = gradient
        optimizer.step()
        weights.append(w.detach().clone())
    return weights


def _update_ranks(given: list[torch.Tensor], **intervention: object) -> list[float]:
    weights = _trained(given, **intervention)
    before = [torch.zeros_like(weights[0]), *weights[:-1]]
    moved = torch.stack([after - old for after, old in zip(weights, before, strict=True)])
    ranks = effective_rank(diagonal_spectrum(torch.linalg.svdvals(moved.double())))
    return np.asarray(ranks).tolist()


def _gradient(case: ReinflationCase, step: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1000 * case.seed + step)
    return torch.randn(case.side, case.side, generator=generator, dtype=torch.float64)


def cases(config: RankConfig) -> list[ReinflationCase]:
    """The document's rank 10, and 5 and 1 beside it; the same at every scale."""
    return [ReinflationCase()]


REINFLATION = Experiment("reinflation", run_reinflation, cases)
