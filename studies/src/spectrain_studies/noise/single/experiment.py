"""One direction alone: its plateau as replicas are added, and as its singular value grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from spectrain.noise import (
    additive,
    deviations,
    directions,
    echo_uncorrected,
    energy_share,
    moments,
    multiplicative,
    pooled_echo,
)
from spectrain.rmt import SpikedMatrix
from spectrain_studies.frame import Experiment, Outcome
from spectrain_studies.noise.config import Config
from spectrain_studies.noise.simulated.experiment import exact_triples, signal_of

ROWS, COLUMNS = 60, 120
"""Sides of the matrix that holds one direction."""

THETA = 2.0
"""Its singular value in additive noise of variance 1/n."""

STRENGTH = 0.06
"""Of multiplicative noise."""


@dataclass(frozen=True)
class Alone:
    """One direction under one kind of noise."""

    kind: str
    theta: float
    replicas: int
    seed: int


def growth_cases(config: Config) -> Sequence[Alone]:
    s = config.simulations
    return [
        Alone(kind, THETA, replicas, seed)
        for kind in ("additive", "multiplicative")
        for replicas in s.growth
        for seed in range(s.seeds)
    ]


def level_cases(config: Config) -> Sequence[Alone]:
    s = config.simulations
    return [
        Alone(kind, 2 * level, max(s.growth), seed)
        for kind in ("additive", "multiplicative")
        for level in s.levels
        for seed in range(s.seeds)
    ]


def run_alone(case: Alone) -> Outcome:
    """Echo with and without correction, overlaps with the truth, and what theory gives."""
    kinds = ("additive", "multiplicative")
    key = 100 * case.replicas + 10_000 * kinds.index(case.kind) + round(case.theta) * 100_000
    generator = torch.Generator().manual_seed(key + case.seed)
    values = torch.tensor([case.theta])
    g = signal_of(values, ROWS, COLUMNS)
    if case.kind == "additive":
        replicas = additive(g, replicas=case.replicas, generator=generator, row_std=COLUMNS**-0.5)
        spiked = SpikedMatrix((ROWS, COLUMNS), 1 / COLUMNS)
        left, right = (
            float(spiked.left_overlap(case.theta)),
            float(spiked.right_overlap(case.theta)),
        )
    else:
        replicas = multiplicative(
            g, replicas=case.replicas, generator=generator, left=STRENGTH, right=STRENGTH
        )
        left = 1 / (1 + (ROWS - 1) * STRENGTH**2)
        right = 1 / (1 + (COLUMNS - 1) * STRENGTH**2)
    found = directions(replicas, k=1, reference=exact_triples(values, ROWS, COLUMNS))
    share = energy_share(deviations(replicas, moments(replicas), window=1))
    return {
        "echo": pooled_echo(found.reverb).item(),
        "uncorrected": float(np.median(echo_uncorrected(found.reverb).numpy())),
        "left": found.left.mean().item(),
        "right": found.right.mean().item(),
        "spread": (found.values.std() / found.values.mean()).item(),
        "theory": (left * right) ** 0.5,
        "theory_left": left,
        "rho": float("nan") if share.value is None else share.value,
    }


GROWTH: Experiment[Config] = Experiment("growth", run_alone, growth_cases)
LEVELS: Experiment[Config] = Experiment("levels", run_alone, level_cases)
