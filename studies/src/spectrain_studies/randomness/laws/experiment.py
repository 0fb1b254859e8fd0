"""Experiments on the laws themselves: the initial law, spikes, coverage, Dyson's motion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from spectrain.rmt import (
    CoulombGas,
    SpikedMatrix,
    count_spikes,
    evolve_levels,
    evolve_matrices,
    fit_marchenko_pastur,
    laguerre_eigenvalues,
)
from spectrain_studies.frame import Experiment, Outcome
from spectrain_studies.randomness.config import Config

HEAD = (64, 16)
SHAPES = (HEAD, (256, 64), (256, 256))


@dataclass(frozen=True, slots=True)
class SpikeCase:
    """Random matrices of one shape, with and without a planted signal."""

    shape: tuple[int, int]
    matrices: int
    planted: int
    seed: int = 0


def spike_cases(config: Config) -> list[SpikeCase]:
    return [SpikeCase(shape, config.law.matrices, config.law.planted) for shape in SHAPES]


def run_spikes(case: SpikeCase) -> Outcome:
    """Matrices in which a spike is counted: of pure noise, and with a signal at 1.05 edges.

    ``seen`` counts only signals that came out above 1.05 edges (their number is ``came_out``).
    """
    generator = torch.Generator().manual_seed(case.seed)
    spectra = laguerre_eigenvalues(case.shape, count=case.matrices, generator=generator)
    false = sum(count_spikes(s, case.shape).count > 0 for s in spectra)
    model = SpikedMatrix(case.shape, 1 / case.shape[0])
    strength = float(model.strength(1.05 * model.edge))
    rng = np.random.default_rng(case.seed)
    came_out = seen = found = 0
    for _ in range(case.planted):
        w = rng.normal(size=case.shape) / case.shape[0] ** 0.5
        w[0, 0] += strength
        values = np.linalg.eigvalsh(w.T @ w)
        hit = count_spikes(values, case.shape).count > 0
        found += hit
        if np.sqrt(values[-1]) > 1.05 * model.edge:
            came_out += 1
            seen += hit
    return {"false": false, "came_out": came_out, "seen": seen, "found": found}


@dataclass(frozen=True, slots=True)
class CoverageCase:
    """Sampled matrices of one shape: a random bulk and a planted heavy tail."""

    shape: tuple[int, int]
    tail: float
    spectra: int
    replicates: int
    seed: int = 0


def coverage_cases(config: Config) -> list[CoverageCase]:
    one = config.law
    return [
        CoverageCase(shape, tail, one.spectra, one.replicates)
        for shape in (HEAD, (256, 64))
        for tail in (0.0, 0.125)
    ]


def run_coverage(case: CoverageCase) -> Outcome:
    """How often the 90 % intervals of A and σ² hold the truth."""
    rows, columns = case.shape
    generator = torch.Generator().manual_seed(case.seed)
    rng = np.random.default_rng(case.seed)
    spikes = round(case.tail * columns)
    threshold = SpikedMatrix(case.shape, 1 / rows).threshold
    hits = np.zeros(2, dtype=int)
    for _ in range(case.spectra):
        w = rng.normal(size=case.shape) / rows**0.5
        strengths = 2 * threshold * (1 + rng.pareto(2.5, spikes))
        w[np.arange(spikes), np.arange(spikes)] += strengths
        fit = fit_marchenko_pastur(
            np.linalg.eigvalsh(w.T @ w),
            case.shape,
            generator=generator,
            replicates=case.replicates,
        )
        for number, (estimate, truth) in enumerate(
            ((fit.area, 1 - spikes / columns), (fit.variance, 1.0))
        ):
            hits[number] += estimate.interval[0] <= truth <= estimate.interval[1]
    return {"area": int(hits[0]), "variance": int(hits[1])}


@dataclass(frozen=True, slots=True)
class DysonCase:
    """Dyson's motion in a harmonic well, as matrices, as levels and at rest."""

    size: int
    levels: int
    times: tuple[float, ...] = (0.2, 1.0, 5.0)
    step: float = 0.01
    seed: int = 0


def dyson_cases(config: Config) -> list[DysonCase]:
    return [DysonCase(4, config.law.levels)]


def run_dyson(case: DysonCase) -> Outcome:
    """Levels of dX = −X dt + noise by its matrices and by its levels, and of the Coulomb gas."""
    generator = torch.Generator().manual_seed(case.seed)
    start = torch.linspace(-1.0, 1.0, case.size, dtype=torch.float64)
    matrices = torch.diag(start).expand(case.levels, case.size, case.size)
    levels = start.expand(case.levels, case.size)
    by_matrix, by_level, before = [], [], 0.0
    for time in case.times:
        steps = round((time - before) / case.step)
        matrices = evolve_matrices(
            matrices, drift=lambda x: -x, g=1.0, step=case.step, steps=steps, generator=generator
        )
        levels = evolve_levels(
            levels, drift=lambda x: -x, g=1.0, step=case.step, steps=steps, generator=generator
        )
        by_matrix.append(torch.linalg.eigvalsh(matrices))
        by_level.append(levels)
        before = time
    gas = CoulombGas(lambda x: x**2 / 2, g=1.0)
    chains = start.expand(case.levels, case.size)
    rest, _ = gas.sample(chains, sweeps=80, width=1.2, generator=generator)
    return {
        "matrices": torch.stack(by_matrix).numpy(),
        "levels": torch.stack(by_level).numpy(),
        "gas": rest.sort(-1).values.numpy(),
    }


SPIKES: Experiment[Config] = Experiment("spikes", run_spikes, spike_cases)
COVERAGE: Experiment[Config] = Experiment("coverage", run_coverage, coverage_cases)
DYSON: Experiment[Config] = Experiment("dyson", run_dyson, dyson_cases)
