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
from spectrain_studies.frame import (
    Experiment,
    Judgement,
    Outcome,
    Result,
    Results,
    combined,
    within,
)
from spectrain_studies.frame.statistics import over_seeds, told
from spectrain_studies.models.noise_twin import noise_twin
from spectrain_studies.models.update_rules import AdamW, Momentum, Muon, UpdateRule
from spectrain_studies.regime.config import Config
from spectrain_studies.regime.study import STUDY
from spectrain_studies.regime.sweeps import steps_of

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
        "persistence": twin.persistence(decay),
        "expected_persistence": theory.persistence(decay),
    }


def _cases(config: Config) -> list[TwinCase]:
    twins = config.twins
    steps = steps_of(twins.relaxations, twins.learning_rate, twins.weight_decay)
    common = (twins.twins, twins.learning_rate, twins.weight_decay, steps, twins.lags)
    d = config.dimension
    printed = TwinCase(
        "adamw",
        (d, d),
        twins.twins,
        config.learning_rate,
        config.weight_decay,
        steps_of(twins.relaxations, config.learning_rate, config.weight_decay),
        twins.lags,
    )
    return [printed] + [TwinCase(rule, shape, *common) for rule in RULES for shape in twins.shapes]


TWINS: Experiment[Config] = Experiment("twins", run_twins, _cases)


def _named(twins: Results, rule: str) -> dict[str, Result]:
    return {
        f"{r.case.shape[0]}×{r.case.shape[1]}, η = {r.case.learning_rate}": r
        for r in twins
        if r.case.rule == rule
    }


def _norm_claim(rule: str, name: str) -> None:
    @STUDY.claim(
        f"theory-{rule}-norm",
        source="this project; Kosson et al. 2024" + (", extended" if rule == "muon" else ""),
        statement=f"{name}'s noise twin settles at the norm of the theory",
        statistic="norm after 6 relaxation times over theory, mean over twins, each shape",
        criterion="within 0.95 and 1.05 for every shape",
        needs=[TWINS],
    )
    def norm(config: Config, twins: Results) -> Judgement:
        return combined(
            {
                label: within(
                    over_seeds(r["norms"][-1] / r["norm"]),
                    0.95,
                    1.05,
                    details={"relative spread of the theory's squared norm": r["spread"]},
                )
                for label, r in _named(twins, rule).items()
            }
        )

    @STUDY.claim(
        f"theory-{rule}-angle",
        source="this project; Kosson et al. 2024, §3",
        statement=f"{name}'s noise twin turns by the angular update of the theory",
        statistic="angle per step over the last 100 steps over theory, mean over twins",
        criterion="within 0.95 and 1.05 for every shape",
        needs=[TWINS],
    )
    def angle(config: Config, twins: Results) -> Judgement:
        return combined(
            {
                label: within(over_seeds(r["angles"]), 0.95, 1.05)
                for label, r in _named(twins, rule).items()
            }
        )


for _rule, _name in (("adamw", "AdamW"), ("muon", "Muon"), ("momentum", "SGD with momentum")):
    _norm_claim(_rule, _name)


@STUDY.claim(
    "theory-relaxation",
    source="Kosson et al. 2024; §1",
    statement="Deviations of ‖W‖² from the equilibrium fall to 1/e in 1/(2ηλ) steps",
    statistic="ln of the excess of ‖W‖² left after one relaxation time, AdamW, over −1",
    criterion="within 0.9 and 1.1 for every shape",
    needs=[TWINS],
)
def relaxation(config: Config, twins: Results) -> Judgement:
    parts = {}
    for label, r in _named(twins, "adamw").items():
        time = 1 / (2 * r.case.learning_rate * r.case.weight_decay)
        place = int(np.argmin(np.abs(r["steps"] - time)))
        left = (r["norms"][place] ** 2 - r["norm"] ** 2) / (4 * r["norm"] ** 2 - r["norm"] ** 2)
        parts[label] = within(over_seeds(-np.log(left) * time / r["steps"][place]), 0.9, 1.1)
    return combined(parts)


@STUDY.claim(
    "theory-muon-memory",
    source="this project (module spectrain.regime.muon)",
    statement="The summed autocorrelation of Muon's updates on noise is that of the derivation",
    statistic="measured S_a over the theory's, each shape",
    criterion="within 0.9 and 1.1 for every shape",
    needs=[TWINS],
)
def muon_memory(config: Config, twins: Results) -> Judgement:
    return combined(
        {
            label: within(
                float(r["persistence"] / r["expected_persistence"]),
                0.9,
                1.1,
                seeds=r.case.twins,
                details={"measured": r["persistence"], "energy": told(over_seeds(r["energy"]))},
            )
            for label, r in _named(twins, "muon").items()
        }
    )
