"""Claims on one direction alone: its plateau, and how it goes with its singular value."""

from __future__ import annotations

from typing import Any

import numpy as np

from spectrain.noise import Estimate
from spectrain_studies.frame import (
    Above,
    AllOf,
    Below,
    Measured,
    OnEvery,
    Results,
    Within,
    near,
    planted,
)
from spectrain_studies.noise.config import Config
from spectrain_studies.noise.single.experiment import GROWTH, LEVELS, Alone
from spectrain_studies.noise.statistics import column, over_seeds
from spectrain_studies.noise.study import ADDITIVE, DOCUMENT, OBSERVABLES, REFERENCE, STUDY

CORRECTED = f"corrected form of {DOCUMENT}, {ADDITIVE}"


def _most(config: Config, growth: Results, kind: str) -> Results:
    return growth.where(kind=kind, replicas=max(config.simulations.growth))


@STUDY.claim(
    "additive-plateau-printed",
    source=f"{DOCUMENT}, {ADDITIVE}",
    statement="Under additive noise the top direction's echo tends to 1 as replicas are added",
    statistic="echo at the largest number of replicas",
    criterion=Above(0.99),
    needs=(GROWTH,),
    planted=planted(GROWTH, near(echo=0.998), near(echo=0.8)),
)
def additive_plateau_printed(config: Config, growth: Results) -> Estimate:
    return over_seeds(column(_most(config, growth, "additive"), "echo"))


@STUDY.claim(
    "additive-plateau-corrected",
    source=CORRECTED,
    statement="It stays at √(c_L²c_R²) of the spiked model: replicas only sharpen the estimate",
    statistic="echo over that value, at each number of replicas from 8 on",
    criterion=OnEvery("number of replicas", Within(0.95, 1.05)),
    needs=(GROWTH,),
    planted=planted(GROWTH, near(echo=0.8, theory=0.8), near(echo=0.9, theory=0.8)),
)
def additive_plateau_corrected(config: Config, growth: Results) -> dict[str, Measured]:
    def over_theory(count: int) -> Measured:
        chosen = growth.where(kind="additive", replicas=count)
        return Measured(over_seeds(column(chosen, "echo") / column(chosen, "theory")))

    return {f"{n}": over_theory(n) for n in config.simulations.growth if n >= 8}


@STUDY.claim(
    "multiplicative-plateau",
    source=f"{DOCUMENT}, {OBSERVABLES}, prediction 1",
    statement="Under multiplicative noise the plateau lies below 1, with any number of replicas",
    statistic="echo at the largest number of replicas",
    criterion=Below(0.95),
    needs=(GROWTH,),
    planted=planted(GROWTH, near(echo=0.8), near(echo=0.99)),
)
def multiplicative_plateau(config: Config, growth: Results) -> Estimate:
    return over_seeds(column(_most(config, growth, "multiplicative"), "echo"))


def _steady(echo: float) -> Any:
    """A world with that echo, in which σ₁ hardly varies."""
    return lambda case, generator: {**near(echo=echo)(case, generator), "spread": 0.05}


@STUDY.claim(
    "plateau-excludes-additive",
    source=f"{DOCUMENT}, {ADDITIVE}",
    statement="A plateau below 1 with a well-separated top singular value excludes additive noise",
    statistic="echo under additive noise where σ₁ varies by less than a tenth over replicas",
    criterion=Above(0.95),
    needs=(LEVELS,),
    planted=planted(LEVELS, _steady(0.99), _steady(0.8)),
)
def plateau_excludes_additive(config: Config, levels: Results) -> Measured:
    lowest = levels.where(kind="additive", theta=2 * min(config.simulations.levels))
    spread = float(column(lowest, "spread").mean())
    wide = "" if spread < 0.1 else "σ₁ varies by more than a tenth: it is not well separated"
    return Measured(over_seeds(column(lowest, "echo")), details={"spread": spread}, unsettled=wide)


def _tangents(additive: float, multiplicative: float) -> Any:
    """1/c² − 1 ∝ σ^exponent."""

    def left(case: Alone) -> float:
        exponent = additive if case.kind == "additive" else multiplicative
        return 1 / (1 + 0.5 * case.theta**exponent)

    return near(spread=1e-5, left=left)


@STUDY.claim(
    "isolated-direction",
    source=CORRECTED,
    statement="What tells them apart: 1 − c² of one direction falls as σ⁻² under isotropic "
    "additive noise and stays level under multiplicative noise",
    statistic="slope of ln(1/c_L² − 1) in ln σ under either noise",
    criterion=AllOf({"additive": Within(-2.2, -1.8), "multiplicative": Within(-0.1, 0.1)}),
    needs=(LEVELS,),
    planted=planted(LEVELS, _tangents(-2.0, 0.0), _tangents(-1.0, 0.0)),
)
def isolated_direction(config: Config, levels: Results) -> dict[str, Measured]:
    def slope(kind: str, seed: int) -> float:
        chosen = levels.where(kind=kind, seed=seed)
        theta = np.log([result.case.theta for result in chosen])
        return float(np.polyfit(theta, np.log(1 / column(chosen, "left") - 1), 1)[0])

    seeds = sorted({result.case.seed for result in levels})
    return {
        kind: Measured(over_seeds([slope(kind, seed) for seed in seeds]))
        for kind in ("additive", "multiplicative")
    }


@STUDY.claim(
    "spiked-overlaps",
    source="Benaych-Georges & Nadakuditi 2012, §3.1",
    statement="c_L² = (x² − mns⁴)/(x(x + ms²)) under isotropic additive noise",
    statistic="measured over predicted c_L²",
    criterion=OnEvery("level", Within(0.97, 1.03)),
    needs=(LEVELS,),
    planted=planted(LEVELS, near(left=0.9, theory_left=0.9), near(left=0.8, theory_left=0.9)),
)
def spiked(config: Config, levels: Results) -> dict[str, Measured]:
    def over_theory(theta: float) -> Measured:
        chosen = levels.where(kind="additive", theta=theta)
        return Measured(over_seeds(column(chosen, "left") / column(chosen, "theory_left")))

    return {f"θ = {2 * level:g}": over_theory(2 * level) for level in config.simulations.levels}


@STUDY.claim(
    "rho-printed",
    source=f"one-number predictor of the {REFERENCE}",
    statement="The share of energy that is signal predicts the echo of the top direction",
    statistic="ρ minus echo² of one direction under additive noise",
    criterion=Within(-0.1, 0.1),
    needs=(GROWTH,),
    planted=planted(GROWTH, near(rho=0.64, echo=0.8), near(rho=0.1, echo=0.8)),
)
def rho_printed(config: Config, growth: Results) -> Estimate:
    most = _most(config, growth, "additive")
    return over_seeds(column(most, "rho") - column(most, "echo") ** 2)
