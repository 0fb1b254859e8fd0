"""Replicas of a known signal under every model of the noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from spectrain.noise import (
    DirectionalNoise,
    Triples,
    additive,
    additive_overlaps,
    directions,
    echo_uncorrected,
    multiplicative,
    multiplicative_overlaps,
    noise_components,
    proportional,
)
from spectrain.noise.models import Symmetry
from spectrain_studies.frame import Experiment, Outcome
from spectrain_studies.noise.config import Config

KINDS = ("additive", "rows", "proportional", "multiplicative", "symmetric", "antisymmetric")
SYMMETRY: dict[str, Symmetry] = {"symmetric": "symmetric", "antisymmetric": "antisymmetric"}


@dataclass(frozen=True)
class Simulated:
    """One data set of replicas."""

    kind: str
    rows: int
    columns: int
    rank: int
    ratio: float
    replicas: int
    left: float
    right: float
    additive: float
    seed: int


def simulated_cases(config: Config) -> Sequence[Simulated]:
    s = config.simulations
    return [
        Simulated(
            kind, s.rows, s.columns, s.rank, s.ratio, s.replicas, s.left, s.right, s.additive, seed
        )
        for kind in KINDS
        for seed in range(s.datasets)
    ]


def signal_of(values: Tensor, rows: int, columns: int) -> Tensor:
    """The signal in its own basis."""
    g = torch.zeros(rows, columns, dtype=values.dtype)
    g[range(values.numel()), range(values.numel())] = values
    return g


def exact_triples(values: Tensor, rows: int, columns: int) -> Triples:
    """The directions of :func:`signal_of`."""
    k = values.numel()
    u, v = torch.eye(rows)[:, :k], torch.eye(columns)[:, :k]
    return Triples(u.to(values), values, v.to(values), torch.zeros_like(values))


def draw(case: Simulated, values: Tensor, generator: torch.Generator) -> Tensor:
    """Replicas of the case's kind of noise."""
    g = signal_of(values, case.rows, case.columns)
    count = case.replicas
    if case.kind in ("additive", "rows"):
        std: float | Tensor = case.additive
        if case.kind == "rows":  # half of the rows carry nine tenths of the variance
            std = case.additive * torch.where(torch.arange(case.rows) % 2 == 0, 1.342, 0.447)
        return additive(g, replicas=count, generator=generator, row_std=std)
    if case.kind == "proportional":
        return proportional(
            g, replicas=count, generator=generator, left=case.left, right=case.right
        )
    return multiplicative(
        g,
        replicas=count,
        generator=generator,
        left=case.left,
        right=case.right,
        symmetry=SYMMETRY.get(case.kind, "none"),
    )


def predicted(case: Simulated, values: Tensor) -> tuple[Tensor, Tensor]:
    """First-order overlaps."""
    shape = (case.rows, case.columns)
    if case.kind in ("additive", "rows"):
        return additive_overlaps(values, shape, case.additive**2)
    symmetry = SYMMETRY.get(case.kind, "none")
    return multiplicative_overlaps(
        values, shape, left=case.left, right=case.right, symmetry=symmetry
    )


def run_simulated(case: Simulated) -> Outcome:
    """Everything that is measured of one data set, beside theory and truth."""
    generator = torch.Generator().manual_seed(1000 * KINDS.index(case.kind) + case.seed)
    values = case.ratio ** torch.arange(case.rank, dtype=torch.float32)
    replicas = draw(case, values, generator)
    truth = exact_triples(values, case.rows, case.columns)
    found = directions(replicas, k=case.rank)
    known = directions(replicas, k=case.rank, reference=truth)
    left, right = predicted(case, values)
    return {
        "sigma": values.numpy(),
        "truth_left": known.left.mean(0).numpy(),
        "truth_right": known.right.mean(0).numpy(),
        "truth_echo": (known.left * known.right).mean(0).sqrt().numpy(),
        "theory_left": left.numpy(),
        "theory_right": right.numpy(),
        **describe(DirectionalNoise.of(found, (case.rows, case.columns))),
        **components(found.projections, found.mean.values),
    }


def describe(noise: DirectionalNoise) -> dict[str, object]:
    """Statistics of directions as plain arrays and numbers."""
    found, kind = noise.directions, noise.comparison
    left, right = found.true_overlaps()
    count = found.count
    plain = {
        name: _number(getattr(noise.plateaus, name).value)
        for name in ("zeta_emp", "zeta_pred", "eta_mult", "gamma_echo")
    }
    spread = found.values.std(0) / found.values.mean(0).clamp(min=1e-30)
    return plain | {
        "mean_sigma": found.mean.values.double().numpy(),
        "left": left.numpy(),
        "right": right.numpy(),
        "echo": np.array([_number(e.value) for e in noise.echoes]),
        "uncorrected": echo_uncorrected(found.reverb).median(-1).values.numpy(),
        "spread": spread.numpy(),
        "side_correlation": _side_correlation(found.left, found.right),
        "score": _number(kind.score.value),
        "verdict": kind.verdict,
        "isotropic_error": kind.isotropic_error,
        "proportional_error": kind.proportional_error,
        "coupling": _number(noise.coupling.value),
        "coupling_low": _number(noise.coupling.low),
        "coupling_high": _number(noise.coupling.high),
        "single": np.array(
            [stop - start == 1 for start, stop in found.groups for _ in range(stop - start)]
        ),
        "replicas": count,
    }


def components(projections: Tensor, values: Tensor) -> dict[str, float]:
    """Variances of left, right and isotropic noise and the covariance, with standard errors."""
    found = noise_components(projections, values)
    told = {}
    for name in ("left", "right", "cross", "isotropic"):
        estimate = getattr(found, name)
        told[f"var_{name}"] = _number(estimate.value)
        told[f"var_{name}_error"] = _number(estimate.error)
    return told


def _side_correlation(left: Tensor, right: Tensor) -> float:
    """Mean over directions of the correlation, over replicas, of c_L² with c_R²."""
    a, b = left - left.mean(0), right - right.mean(0)
    scale = (a.square().sum(0) * b.square().sum(0)).sqrt()
    kept = scale > 0
    return float(((a * b).sum(0)[kept] / scale[kept]).mean()) if bool(kept.any()) else float("nan")


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


SIMULATED: Experiment[Config] = Experiment("simulated", run_simulated, simulated_cases)
