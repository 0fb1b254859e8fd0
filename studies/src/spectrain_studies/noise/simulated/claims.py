"""Claims on kinds of noise, where signal and noise are known."""

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
from spectrain_studies.frame.statistics import ratio_of_means, share
from spectrain_studies.noise.config import Config
from spectrain_studies.noise.simulated.experiment import KINDS, SIMULATED, Simulated
from spectrain_studies.noise.statistics import column, line, over_seeds
from spectrain_studies.noise.study import BASIS, DOCUMENT, OBSERVABLES, SETUP, STUDY

PROPORTIONAL = ("proportional", "multiplicative")
RIGHT = {
    "additive": "isotropic additive",
    "proportional": "signal-proportional",
    "multiplicative": "signal-proportional",
}


@STUDY.claim(
    "prediction-simulated",
    source=f"{DOCUMENT}, {OBSERVABLES}, prediction 2",
    statement="ζ ≈ √(c_L²c_R²) over the leading directions",
    statistic="ζ_emp − ζ_pred of the top 8",
    criterion=OnEvery("kind of noise", Within(-0.02, 0.02)),
    needs=(SIMULATED,),
    planted=planted(
        SIMULATED, near(zeta_emp=0.8, zeta_pred=0.8), near(zeta_emp=0.9, zeta_pred=0.8)
    ),
)
def prediction_simulated(config: Config, found: Results) -> dict[str, Measured]:
    def gap(kind: str) -> Measured:
        chosen = found.where(kind=kind)
        return Measured(over_seeds(column(chosen, "zeta_emp") - column(chosen, "zeta_pred")))

    return {kind: gap(kind) for kind in KINDS}


def _lines(slope: float) -> Any:
    overlaps = np.linspace(0.6, 0.95, 8)

    def echoes(case: Simulated) -> np.ndarray:
        return np.asarray(np.sqrt(1 - slope * (1 - overlaps**2)))

    return near(left=overlaps, right=overlaps, echo=echoes)


@STUDY.claim(
    "gap-slope-simulated",
    source=f"{DOCUMENT}, {OBSERVABLES}, prediction 3",
    statement="1 − ζ² is linear in 1 − c_L²c_R², with slope 1 and intercept 0 by its own formula",
    statistic="slope and intercept over directions and kinds of noise",
    criterion=AllOf({"slope": Within(0.95, 1.05), "intercept": Within(-0.02, 0.02)}),
    needs=(SIMULATED,),
    planted=planted(SIMULATED, _lines(1.0), _lines(0.6)),
)
def gap_slope_simulated(config: Config, found: Results) -> dict[str, Measured]:
    def points(seed: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = found.where(seed=seed)
        eta = 1 - (chosen.stack("left") * chosen.stack("right")).ravel()
        return eta, 1 - chosen.stack("echo").ravel() ** 2

    return line([points(seed) for seed in sorted({result.case.seed for result in found})])


def _spreading(spread: float) -> Any:
    """Directions 18° off, and singular values that spread so much."""
    world = near(truth_left=np.full(8, 0.9))
    return lambda case, generator: {**world(case, generator), "spread": np.full(8, spread)}


@STUDY.claim(
    "steady-values-simulated",
    source=f"{DOCUMENT}, {SETUP}",
    statement="Leading singular values are stable over replicas while their directions vary",
    statistic="relative spread of σ_i over √(1 − c_L²), mean over directions, under "
    "multiplicative noise",
    criterion=Below(0.5),
    needs=(SIMULATED,),
    planted=planted(
        SIMULATED,
        _spreading(0.05),
        _spreading(0.3),
    ),
)
def steady_values_simulated(config: Config, found: Results) -> Estimate:
    chosen = found.where(kind="multiplicative")
    sines = np.sqrt(np.clip(1 - chosen.stack("truth_left"), 0, 1))
    return over_seeds((chosen.stack("spread") / sines).mean(1))


def _components(cross: float) -> Any:
    return near(
        spread=1e-6,
        var_left=lambda case: case.left**2,
        var_right=lambda case: case.right**2,
        var_cross=lambda case: cross * case.left * case.right,
    )


@STUDY.claim(
    "components-recovered",
    source=f"{DOCUMENT}, {BASIS}",
    statement="Var Ã, Var B̃ and cov(Ã, B̃) can be read off the scatter in the SVD basis",
    statistic="estimates over the truth; the covariance over √(Var Ã Var B̃)",
    criterion=AllOf(
        {"left": Within(0.8, 1.2), "right": Within(0.8, 1.2), "cross": Within(-0.2, 0.2)}
    ),
    needs=(SIMULATED,),
    planted=planted(SIMULATED, _components(0.0), _components(0.5)),
)
def components_recovered(config: Config, found: Results) -> dict[str, Estimate]:
    s, chosen = config.simulations, found.where(kind="multiplicative")
    truth = {"left": s.left**2, "right": s.right**2, "cross": s.left * s.right}
    return {
        name: over_seeds(column(chosen, f"var_{name}") / value) for name, value in truth.items()
    }


@STUDY.claim(
    "kinds-told-apart",
    source="this project",
    statement="Overlaps tell isotropic additive noise from noise in proportion to the signal",
    statistic="share of data sets with the right verdict; undecided ones count as wrong",
    criterion=OnEvery("kind of noise", Above(0.8)),
    needs=(SIMULATED,),
)
def kinds_told_apart(config: Config, found: Results) -> dict[str, Estimate]:
    return {
        kind: share([r["verdict"] == verdict for r in found.where(kind=kind)])
        for kind, verdict in RIGHT.items()
    }


@STUDY.claim(
    "proportional-kinds-alike",
    source="this project",
    statement="Overlaps do not tell multiplicative noise from additive noise in proportion to the "
    "signal",
    statistic="1 − c_L² under the one over that under the other",
    criterion=Within(0.95, 1.05),
    needs=(SIMULATED,),
    planted=planted(
        SIMULATED,
        near(truth_left=np.full(8, 0.9), spread=1e-4),
        near(truth_left=lambda c: np.full(8, 0.9 if c.kind == "proportional" else 0.8)),
    ),
)
def proportional_kinds_alike(config: Config, found: Results) -> Estimate:
    one, other = (1 - found.where(kind=k).stack("truth_left").mean(1) for k in PROPORTIONAL)
    return ratio_of_means(one, other)


@STUDY.claim(
    "coupling-tells",
    source="this project",
    statement="The coupling of what lies off the leading directions tells them apart",
    statistic="coupling κ under either noise",
    criterion=AllOf({"proportional": Within(-0.2, 0.2), "multiplicative": Within(0.9, 1.1)}),
    needs=(SIMULATED,),
    planted=planted(
        SIMULATED,
        near(coupling=lambda case: float(case.kind == "multiplicative")),
        near(coupling=1.0),
    ),
)
def coupling_tells(config: Config, found: Results) -> dict[str, Estimate]:
    return {kind: over_seeds(column(found.where(kind=kind), "coupling")) for kind in PROPORTIONAL}
