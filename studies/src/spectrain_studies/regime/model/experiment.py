"""Runs of the minimal model: norms, losses and SNR of whole sweeps through training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
import torch

from spectrain_studies.frame import Experiment, Outcome
from spectrain_studies.models.minimal_model import Arm, Course, Problem, run_minimal_model
from spectrain_studies.models.minimal_model_noise import gradient_noise, losses
from spectrain_studies.regime.config import Config, Sweep

DEFINITIONS = {
    "snr_whole_tensor": "whole-tensor",
    "snr_per_parameter": "per-parameter",
    "snr_power": "power",
    "snr_parameter_normalised": "parameter-normalised",
}
"""Signal-to-noise ratios in use, by the names of :mod:`spectrain.noise.snr`."""


@dataclass(frozen=True)
class SweepCase:
    """Runs of one problem that advance together.

    Attributes:
        problem: the data.
        arms: settings.
        seeds: number of seeds, from 0.
        steps: length.
        records: moments of measurement, evenly spaced, besides the start.
        value: what is swept, where a case holds one arm.
        variant: ``as printed``, ``noisy labels`` or ``undecayed multiplier``.
    """

    problem: Problem
    arms: tuple[Arm, ...]
    seeds: int
    steps: int
    records: int
    value: float = 0.0
    variant: str = "as printed"


def run_sweep(case: SweepCase) -> Outcome:
    """Norms, losses, SNR and noise scales at every record; axes records × arms × seeds."""
    marks = np.linspace(0, case.steps, case.records + 1).round().astype(int)
    seeds = range(case.seeds)
    course = run_minimal_model(
        case.problem, case.arms, seeds, steps=case.steps, records=[int(mark) for mark in marks]
    )
    data = torch.stack([case.problem.draw(seed)[0] for seed in seeds])
    sizes = torch.tensor([arm.batch_size for arm in case.arms], dtype=torch.float64)[:, None]
    rows = [_measure(course, record, data, sizes) for record in range(len(course.steps))]
    stacked = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    return {"steps": np.array(course.steps), **stacked}


def _measure(
    course: Course, record: int, data: torch.Tensor, sizes: torch.Tensor
) -> dict[str, np.ndarray]:
    parameters = course.parameters[record]
    weight, gamma = course.weights[record], course.multipliers[record]
    found = {
        "weight_norm": weight.flatten(-2).norm(dim=-1),
        "multiplier_norm": gamma.norm(dim=-1),
        "product_norm": (weight * gamma.unsqueeze(-1)).flatten(-2).norm(dim=-1),
        "loss": losses(parameters, data),
    }
    for kind, noise in zip(("weight", "multiplier"), gradient_noise(parameters, data), strict=True):
        found[f"{kind}_noise_scale"] = noise.noise_scale
        for name, ratio in noise.ratios(sizes).items():
            found[f"{kind}_{name}"] = ratio
    return {name: value.numpy() for name, value in found.items()}


def steps_of(relaxations: float, learning_rate: float, weight_decay: float) -> int:
    """Steps of so many relaxation times 1/(2ηλ).

    Example:
        >>> steps_of(6, 0.01, 0.01)
        30000
    """
    return ceil(round(relaxations / (2 * learning_rate * weight_decay), 6))


def _case(config: Config, sweep: Sweep, arms: Sequence[Arm], **fields: object) -> SweepCase:
    base = {
        "problem": Problem(config.dimension, config.samples, config.label_noise),
        "arms": tuple(arms),
        "seeds": config.seeds,
        "steps": steps_of(sweep.relaxations, config.learning_rate, config.weight_decay),
        "records": sweep.records,
    }
    return SweepCase(**{**base, **fields})  # type: ignore[arg-type]


def _arm(config: Config, **fields: float) -> Arm:
    base = {
        "batch_size": config.batch_size,
        "learning_rate": config.learning_rate,
        "weight_decay": config.weight_decay,
    }
    return Arm(**{**base, **fields})  # type: ignore[arg-type]


def _dynamics(config: Config) -> list[SweepCase]:
    noisy = Problem(config.dimension, config.samples, config.noisier)
    free = _arm(config, multiplier_weight_decay=0.0)
    return [
        _case(config, config.dynamics, [_arm(config)]),
        _case(config, config.dynamics, [_arm(config)], problem=noisy, variant="noisy labels"),
        _case(config, config.dynamics, [free], variant="undecayed multiplier"),
    ]


def _batches(config: Config) -> list[SweepCase]:
    arms = [_arm(config, batch_size=int(size)) for size in config.batches.values]
    return [_case(config, config.batches, arms, seeds=config.batch_seeds)]


def _decays(config: Config) -> list[SweepCase]:
    return [
        _case(
            config,
            config.decays,
            [_arm(config, weight_decay=decay)],
            value=decay,
            steps=(
                steps_of(config.decays.relaxations, config.learning_rate, decay)
                if decay
                else config.undecayed_steps
            ),
        )
        for decay in config.decays.values
    ]


def _dimensions(config: Config) -> list[SweepCase]:
    return [
        _case(
            config,
            config.dimensions,
            [_arm(config)],
            value=dimension,
            problem=Problem(int(dimension), config.samples, config.label_noise),
        )
        for dimension in config.dimensions.values
    ]


def _balance(config: Config) -> list[SweepCase]:
    arms = [
        _arm(
            config,
            learning_rate=config.learning_rate * factor,
            weight_decay=config.weight_decay / factor,
        )
        for factor in config.balance.values
    ]
    return [_case(config, config.balance, arms)]


DYNAMICS: Experiment[Config] = Experiment("dynamics", run_sweep, _dynamics)
BATCHES: Experiment[Config] = Experiment("batches", run_sweep, _batches)
DECAYS: Experiment[Config] = Experiment("decays", run_sweep, _decays)
DIMENSIONS: Experiment[Config] = Experiment("dimensions", run_sweep, _dimensions)
BALANCE: Experiment[Config] = Experiment("balance", run_sweep, _balance)
