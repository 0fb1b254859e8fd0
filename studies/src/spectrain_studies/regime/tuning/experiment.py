"""The practical promise of §5 on the minimal model: (η, λ) tuned apart for W and γ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from spectrain_studies.frame import Experiment, Outcome
from spectrain_studies.models.minimal_model import Arm, Problem, run_minimal_model
from spectrain_studies.models.minimal_model_noise import losses
from spectrain_studies.regime.config import Config, Tuning

LAST = 20
"""Records in the last fifth of a run over which its loss is averaged."""


@dataclass(frozen=True)
class SearchCase:
    """One search of each side."""

    problem: Problem
    batch_size: int
    tuning: Tuning
    search: int


def draw_trials(tuning: Tuning, search: int) -> tuple[np.ndarray, np.ndarray]:
    """Random (η, λ) of each trial: shared ones (trials × 2), and separate ones (trials × 4).

    Log-uniform; both sides search the same ranges with the same number of trials.

    Example:
        >>> shared, separate = draw_trials(Tuning(trials=3), 0)
        >>> shared.shape, separate.shape
        ((3, 2), (3, 4))
    """
    rng = np.random.default_rng((search, 6))
    low, high = np.log([tuning.rates, tuning.decays]).T
    shared = np.exp(rng.uniform(low, high, (tuning.trials, 2)))
    separate = np.exp(rng.uniform(np.tile(low, 2), np.tile(high, 2), (tuning.trials, 4)))
    return shared, separate


def run_search(case: SearchCase) -> Outcome:
    """Losses of all trials on the tuning seeds, and of the chosen ones on the test seeds."""
    shared, separate = draw_trials(case.tuning, case.search)
    arms = [Arm(case.batch_size, *row) for row in shared] + [
        Arm(case.batch_size, *row) for row in separate
    ]
    first = 10_000 * (case.search + 1)
    tuning_seeds = range(first, first + case.tuning.tuning_seeds)
    found = _losses(case, arms, tuning_seeds).mean(1)
    trials = case.tuning.trials
    best = [int(np.nanargmin(found[:trials])), trials + int(np.nanargmin(found[trials:]))]
    test_seeds = range(first + 5000, first + 5000 + case.tuning.test_seeds)
    tested = _losses(case, [arms[place] for place in best], test_seeds)
    chosen = [arms[place] for place in best]
    return {
        "trials": found,
        "tested": tested,
        "shared": [*chosen[0].rates, *chosen[0].decays],
        "separate": [*chosen[1].rates, *chosen[1].decays],
    }


def _losses(case: SearchCase, arms: list[Arm], seeds: range) -> np.ndarray:
    """Loss over all samples, averaged over the last fifth of the run: arms × seeds."""
    steps = case.tuning.steps
    records = np.unique(np.linspace(0.8 * steps, steps, LAST).round().astype(int)).tolist()
    course = run_minimal_model(case.problem, arms, seeds, steps=steps, records=records)
    data = torch.stack([case.problem.draw(seed)[0] for seed in seeds])
    return torch.stack([losses(row, data) for row in course.parameters]).mean(0).numpy()


def _searches(config: Config) -> list[SearchCase]:
    return [
        SearchCase(
            Problem(config.dimension, config.samples, noise),
            config.batch_size,
            config.tuning,
            search,
        )
        for noise in (config.label_noise, config.noisier)
        for search in range(config.tuning.searches)
    ]


SEARCHES: Experiment[Config] = Experiment("searches", run_search, _searches)
