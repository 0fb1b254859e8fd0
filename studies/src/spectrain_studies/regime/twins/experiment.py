"""Noise twins against theory: norms, angles, relaxation, and the memory of Muon's updates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from spectrain.regime import (
    NoiseUpdate,
    adamw_noise,
    equilibrium,
    expected_squared_norms,
    muon_noise,
    sgd_noise,
)
from spectrain_studies.frame import Experiment, Outcome
from spectrain_studies.models.noise_twin import noise_twin
from spectrain_studies.models.update_rules import AdamW, Momentum, Muon, UpdateRule
from spectrain_studies.regime.config import Config
from spectrain_studies.regime.model.experiment import steps_of

RULES: Mapping[str, Callable[[], UpdateRule]] = {"adamw": AdamW, "muon": Muon, "momentum": Momentum}
LATE_STEPS = 100


@dataclass(frozen=True)
class TwinCase:
    """Twins of one matrix under one optimizer, from weights of twice the equilibrium's size."""

    rule: str
    shape: tuple[int, int]
    twins: int
    learning_rate: float
    weight_decay: float
    steps: int
    lags: int
    seed: int = 0

    def theory(self) -> NoiseUpdate:
        """What the optimizer makes of noise, without free parameters."""
        count = self.shape[0] * self.shape[1]
        if self.rule == "muon":
            return muon_noise(self.shape, generator=torch.Generator().manual_seed(self.seed))
        return adamw_noise(count) if self.rule == "adamw" else sgd_noise(count, momentum=0.9)


def run_twins(case: TwinCase) -> Outcome:
    """Norms and updates of the twins beside their theory."""
    theory = case.theory()
    settled = equilibrium(theory, learning_rate=case.learning_rate, weight_decay=case.weight_decay)
    rates = [case.learning_rate] * case.steps
    initial = 2 * settled.rms(case.shape[0] * case.shape[1])
    twin = noise_twin(
        RULES[case.rule],
        case.shape,
        twins=case.twins,
        learning_rates=rates,
        weight_decay=case.weight_decay,
        generator=torch.Generator().manual_seed(case.seed),
        initial=initial,
        lags=case.lags,
    )
    path = expected_squared_norms(
        theory,
        initial=(initial**2) * case.shape[0] * case.shape[1],
        learning_rates=rates,
        weight_decay=case.weight_decay,
    )
    kept = np.linspace(0, case.steps - 1, min(case.steps, 300)).round().astype(int)
    decay = 1 - case.learning_rate * case.weight_decay
    return {
        "steps": kept + 1,
        "norms": twin.squared_norms[kept].sqrt().numpy(),
        "path": np.sqrt(path[kept]),
        "norm": settled.norm,
        "spread": theory.spread,
        "energy": twin.energies.mean(0).numpy() / theory.energy,
        "angles": twin.angles[-LATE_STEPS:].mean(0).numpy() / settled.angular_update,
        "autocorrelation": twin.autocorrelation.numpy(),
        "expected_autocorrelation": [
            theory.autocorrelation(lag) if lag else 1.0 for lag in range(case.lags + 1)
        ],
        "persistence": twin.persistence(decay).numpy(),
        "expected_persistence": theory.persistence(decay),
    }


def _cases(config: Config) -> list[TwinCase]:
    """No two cases share random numbers, so that the parts of a claim are independent."""
    twins, d = config.twins, config.dimension
    own = (twins.learning_rate, twins.weight_decay)
    setups = [("adamw", (d, d), (config.learning_rate, config.weight_decay))]
    setups += [(rule, shape, own) for rule in RULES for shape in twins.shapes]
    return [
        TwinCase(
            rule, shape, twins.twins, *rates, steps_of(twins.relaxations, *rates), twins.lags, seed
        )
        for seed, (rule, shape, rates) in enumerate(setups)
    ]


TWINS: Experiment[Config] = Experiment("twins", run_twins, _cases)
