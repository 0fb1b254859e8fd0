"""Perturbation theory against many small matrices: coefficients and overlaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spectrain.noise import additive, first_order_overlaps, mixing, multiplicative
from spectrain.noise.models import Symmetry
from spectrain_studies.frame import Experiment, Outcome
from spectrain_studies.noise.config import Config
from spectrain_studies.noise.simulated.experiment import signal_of

KINDS = ("additive", "none", "symmetric", "antisymmetric")


@dataclass(frozen=True)
class Perturbed:
    """Many replicas of one small matrix."""

    kind: str
    rows: int
    columns: int
    values: tuple[float, ...]
    strength: float
    scale: float
    replicas: int
    seed: int


def perturbed_cases(config: Config) -> Sequence[Perturbed]:
    p = config.perturbations
    return [
        Perturbed(kind, p.rows, p.columns, values, p.strength, scale, p.replicas, seed)
        for kind in KINDS
        for values, scale in ((p.values, 1.0), (p.values, 10.0), (p.close, 1.0))
        if kind == "none" or (scale == 1.0 and not (kind == "additive" and values == p.close))
        for seed in range(p.seeds)
    ]


def run_perturbed(case: Perturbed) -> Outcome:
    """1 − c² measured, with the corrected and the printed formula; errors of the coefficients."""
    generator = torch.Generator().manual_seed(10 * case.seed + KINDS.index(case.kind))
    values = case.scale * torch.tensor(case.values, dtype=torch.float64)
    g = signal_of(values, case.rows, case.columns)
    replicas = _draw(case, g, generator)
    d = values.numel()
    u, _, vh = torch.linalg.svd(replicas, full_matrices=False)
    left, right = 1 - _overlap(u, d), 1 - _overlap(vh.mT, d)
    delta = replicas - g
    variance = delta.square().mean(0)
    both = (delta[:, :d, :d] * delta[:, :d, :d].mT).mean(0)
    theory = first_order_overlaps(values, variance, both)
    gaps = (values.square() - values.square().unsqueeze(1)).square()
    printed = (variance[:d, :d] / gaps.fill_diagonal_(torch.inf)).sum(0)
    return {
        "measured_left": left.mean(0).numpy(),
        "measured_right": right.mean(0).numpy(),
        "error_left": (left.std(0) / case.replicas**0.5).numpy(),
        "theory_left": (1 - theory[0]).numpy(),
        "theory_right": (1 - theory[1]).numpy(),
        "printed_left": printed.numpy(),
        "without_null_space": (1 - theory[0] - variance[d:, :d].sum(0) / values.square()).numpy(),
        **_coefficients(case, g, values, replicas),
    }


def _draw(case: Perturbed, g: Tensor, generator: torch.Generator) -> Tensor:
    if case.kind == "additive":
        std = case.strength * case.scale * case.values[-1]
        return additive(g, replicas=case.replicas, generator=generator, row_std=std)
    symmetry: Symmetry = case.kind  # type: ignore[assignment]
    return multiplicative(
        g,
        replicas=case.replicas,
        generator=generator,
        left=case.strength,
        right=case.strength,
        symmetry=symmetry,
    )


def _overlap(vectors: Tensor, d: int) -> Tensor:
    return vectors[:, :d, :d].diagonal(dim1=1, dim2=2).square()


def _coefficients(case: Perturbed, g: Tensor, values: Tensor, replicas: Tensor) -> dict[str, float]:
    """Relative error of α at the strength and at a quarter of it: first order falls fourfold."""
    delta = (replicas - g)[:500]
    told = {}
    for name, share in (("whole", 1.0), ("quarter", 0.25)):
        u, _, _ = torch.linalg.svd(g + share * delta, full_matrices=False)
        d = values.numel()
        own = u[..., :d].diagonal(dim1=1, dim2=2).unsqueeze(1)
        actual = u[..., :d] / own
        actual[:, range(d), range(d)] = 0.0
        alpha, _ = mixing(share * delta, values)
        inside = alpha.clone()
        inside[:, d:] = 0.0
        told[f"alpha_{name}"] = ((actual - alpha).norm() / actual.norm()).item()
        told[f"alpha_{name}_printed"] = ((actual - inside).norm() / actual.norm()).item()
    return told


PERTURBED: Experiment[Config] = Experiment("perturbed", run_perturbed, perturbed_cases)
