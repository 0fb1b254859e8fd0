"""Do the intervals hold the truth, and is the corrected echo exact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from spectrain.noise import (
    Estimate,
    ScalarNoise,
    additive,
    deviations,
    directions,
    echo,
    echo_estimate,
    echo_uncorrected,
    moments,
    pair_energy,
    plateaus,
    top_triples,
)
from spectrain.noise.plateau import shared_energy
from spectrain_studies.frame import Experiment, Outcome
from spectrain_studies.noise.config import Config
from spectrain_studies.noise.simulated.experiment import exact_triples, signal_of

VALUES = (16.0, 11.0, 7.5, 5.0)
"""Singular values of the signal over √max(m, n): directions from sure to doubtful."""

SCALARS = ("snr_unbiased", "noise_scale", "energy_fraction", "entry_variance")
DIRECTIONAL = ("zeta_emp", "zeta_pred", "eta_mult")


@dataclass(frozen=True)
class DataSets:
    """Many data sets of replicas in isotropic noise of unit variance."""

    rows: int
    columns: int
    directions: int
    replicas: int
    datasets: int
    truth: int
    seed: int


def coverage_cases(config: Config) -> Sequence[DataSets]:
    c = config.coverage
    return [
        DataSets(c.rows, c.columns, c.directions, c.replicas, c.datasets, c.truth, seed)
        for seed in range(c.batches)
    ]


def run_coverage(case: DataSets) -> Outcome:
    """How many intervals held the truth, by statistic."""
    values = torch.tensor(VALUES[: case.directions]) * max(case.rows, case.columns) ** 0.5 / 4
    g = signal_of(values, case.rows, case.columns)
    truth = _truth(case, g, values)
    generator = torch.Generator().manual_seed(case.seed)
    held = dict.fromkeys([*truth], 0)
    for _ in range(case.datasets):
        stack = additive(g, replicas=case.replicas, generator=generator)
        summary = moments(stack)
        scalar = ScalarNoise.of(deviations(stack, summary, window=case.replicas - 1))
        found = directions(stack, k=case.directions, summary=summary)
        flat = plateaus(found)
        estimates: dict[str, Estimate] = {name: getattr(scalar, name) for name in SCALARS}
        estimates |= {name: getattr(flat, name) for name in DIRECTIONAL}
        estimates |= {f"echo_{i + 1}": echo_estimate(z) for i, z in enumerate(found.reverb)}
        for name, estimate in estimates.items():
            held[name] += estimate.covers(truth[name])
    return {f"held_{name}": count for name, count in held.items()} | {
        "datasets": case.datasets,
        **{f"truth_{name}": value for name, value in truth.items()},
    }


def _truth(case: DataSets, g: torch.Tensor, values: torch.Tensor) -> dict[str, float]:
    """Of energies exactly; of directions from many replicas against the signal itself."""
    generator = torch.Generator().manual_seed(99)
    many = additive(g, replicas=case.truth, generator=generator)
    known = directions(
        many, k=case.directions, reference=exact_triples(values, case.rows, case.columns)
    )
    shared = shared_energy(known)
    echoes = pair_energy(known.reverb).sqrt()
    signal, entries = float(values.square().sum()), case.rows * case.columns
    ratio = signal / entries
    return {
        "snr_unbiased": ratio,
        "noise_scale": 1 / ratio,
        "energy_fraction": ratio / (1 + ratio),
        "entry_variance": 1.0,
        "zeta_emp": float(np.median(echoes.numpy())),
        "zeta_pred": float(np.median(shared.sqrt().numpy())),
        "eta_mult": float(1 - shared.mean()),
        **{f"echo_{i + 1}": float(value) for i, value in enumerate(echoes)},
    }


@dataclass(frozen=True)
class Exact:
    """Z = ζζᵀ without its diagonal."""

    replicas: int
    seed: int


def exact_cases(config: Config) -> Sequence[Exact]:
    return [Exact(r, s) for r in (3, 4, 5, 8, 16, 64) for s in range(config.simulations.seeds)]


def run_exact(case: Exact) -> Outcome:
    """Largest error of the corrected estimator, and the ratio of the published one to the truth."""
    generator = torch.Generator().manual_seed(1000 * case.replicas + case.seed)
    zeta = 0.2 + 0.8 * torch.rand(case.replicas, generator=generator, dtype=torch.float64)
    z = zeta.outer(zeta)
    z -= z.diagonal().diag()
    flat = 1 - torch.eye(case.replicas, dtype=torch.float64)
    return {
        "error": (echo(z) - zeta).abs().max().item(),
        "published": echo_uncorrected(flat).mean().item(),
        "expected": ((case.replicas - 2) / case.replicas) ** 0.5,
    }


@dataclass(frozen=True)
class Referenced:
    """One data set held against three references."""

    replicas: int
    seed: int


def reference_cases(config: Config) -> Sequence[Referenced]:
    return [Referenced(8, seed) for seed in range(4 * config.simulations.seeds)]


def run_referenced(case: Referenced) -> Outcome:
    """1 − c² against the truth, the own mean, the mean of the others, and that corrected."""
    generator = torch.Generator().manual_seed(case.seed)
    values = torch.tensor([40.0, 25.0])
    g = signal_of(values, 40, 50)
    stack = additive(g, replicas=case.replicas, generator=generator)
    known = directions(stack, k=2, reference=exact_triples(values, 40, 50))
    own = directions(stack, k=2, reference=top_triples(stack.mean(0), 2))
    others = directions(stack, k=2)
    return {
        "truth": (1 - known.left.mean()).item(),
        "own": (1 - own.left.mean()).item(),
        "others": (1 - others.left.mean()).item(),
        "corrected": (1 - others.true_overlaps()[0].mean()).item(),
    }


COVERAGE: Experiment[Config] = Experiment("coverage", run_coverage, coverage_cases)
EXACT: Experiment[Config] = Experiment("exact", run_exact, exact_cases)
REFERENCED: Experiment[Config] = Experiment("references", run_referenced, reference_cases)
