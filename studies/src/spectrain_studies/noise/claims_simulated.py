"""Claims on plateaus and kinds of noise, where signal and noise are known."""

from __future__ import annotations

import numpy as np

from spectrain.noise import Estimate
from spectrain_studies.frame import Judgement, Results, above, below, combined, within
from spectrain_studies.frame.statistics import share
from spectrain_studies.noise.config import Config
from spectrain_studies.noise.growth import GROWTH, LEVELS
from spectrain_studies.noise.simulate import KINDS, SIMULATED
from spectrain_studies.noise.study import (
    ADDITIVE,
    BASIS,
    DOCUMENT,
    OBSERVABLES,
    REFERENCE,
    SETUP,
    STUDY,
    column,
    over_seeds,
    ratio,
)

TWO = ("additive", "multiplicative")
PROPORTIONAL = ("proportional", "multiplicative")


@STUDY.claim(
    "additive-plateau-printed",
    source=f"{DOCUMENT}, {ADDITIVE}",
    statement="Under additive noise the top direction's echo tends to 1 as replicas are added.",
    statistic="echo at the largest number of replicas",
    criterion="above 0.99",
    needs=(GROWTH,),
)
def additive_plateau_printed(config: Config, found: Results) -> Judgement:
    most = found.where(kind="additive", replicas=max(config.simulations.growth))
    return above(over_seeds(column(most, "echo")), 0.99)


@STUDY.claim(
    "additive-plateau-corrected",
    source=f"corrected form of {DOCUMENT}, {ADDITIVE}",
    statement="It stays at √(c_L²c_R²) of the spiked model: replicas only sharpen the estimate.",
    statistic="echo over that value, at each number of replicas from 8 on",
    criterion="between 0.95 and 1.05",
    needs=(GROWTH,),
)
def additive_plateau_corrected(config: Config, found: Results) -> Judgement:
    return combined(
        {
            f"R = {count}": within(_over_theory(found, "additive", count), 0.95, 1.05)
            for count in config.simulations.growth
            if count >= 8
        }
    )


def _over_theory(found: Results, kind: str, count: int) -> Estimate:
    chosen = found.where(kind=kind, replicas=count)
    return over_seeds(column(chosen, "echo") / column(chosen, "theory"))


@STUDY.claim(
    "multiplicative-plateau",
    source=f"{DOCUMENT}, {OBSERVABLES}, prediction 1",
    statement="Under multiplicative noise the plateau lies below 1, with any number of replicas.",
    statistic="echo at the largest number of replicas",
    criterion="below 0.95",
    needs=(GROWTH,),
)
def multiplicative_plateau(config: Config, found: Results) -> Judgement:
    most = found.where(kind="multiplicative", replicas=max(config.simulations.growth))
    return below(over_seeds(column(most, "echo")), 0.95)


@STUDY.claim(
    "plateau-excludes-additive",
    source=f"{DOCUMENT}, {ADDITIVE}",
    statement="A plateau below 1 with a well-separated top singular value excludes additive noise.",
    statistic="echo under additive noise where σ₁ varies by less than a tenth over replicas",
    criterion="above 0.95",
    needs=(LEVELS,),
)
def plateau_excludes_additive(config: Config, found: Results) -> Judgement:
    lowest = found.where(kind="additive", theta=2 * min(config.simulations.levels))
    spread = float(column(lowest, "spread").mean())
    return above(over_seeds(column(lowest, "echo")), 0.95, details={"spread": spread})


@STUDY.claim(
    "isolated-direction",
    source=f"corrected form of {DOCUMENT}, {ADDITIVE}",
    statement="What tells them apart: 1 − c² of one direction falls as σ⁻² under isotropic "
    "additive noise and stays level under multiplicative noise.",
    statistic="slope of ln(1/c_L² − 1) in ln σ",
    criterion="additive between −2.2 and −1.8, multiplicative between −0.1 and 0.1",
    needs=(LEVELS,),
)
def isolated_direction(config: Config, found: Results) -> Judgement:
    limits = {"additive": (-2.2, -1.8), "multiplicative": (-0.1, 0.1)}
    return combined({kind: within(_slope(found, kind), *limits[kind]) for kind in TWO})


def _slope(found: Results, kind: str) -> Estimate:
    slopes = []
    for seed in sorted({result.case.seed for result in found}):
        chosen = found.where(kind=kind, seed=seed)
        theta = np.log([result.case.theta for result in chosen])
        slopes.append(np.polyfit(theta, np.log(1 / column(chosen, "left") - 1), 1)[0])
    return over_seeds(slopes)


@STUDY.claim(
    "spiked-overlaps",
    source="Benaych-Georges & Nadakuditi 2012, §3.1",
    statement="c_L² = (x² − mns⁴)/(x(x + ms²)) under isotropic additive noise.",
    statistic="measured over predicted c_L²",
    criterion="between 0.97 and 1.03 at each level",
    needs=(LEVELS,),
)
def spiked(config: Config, found: Results) -> Judgement:
    parts = {}
    for level in config.simulations.levels:
        chosen = found.where(kind="additive", theta=2 * level)
        measured = over_seeds(column(chosen, "left") / column(chosen, "theory_left"))
        parts[f"θ = {2 * level:g}"] = within(measured, 0.97, 1.03)
    return combined(parts)


@STUDY.claim(
    "rho-printed",
    source=f"one-number predictor of the {REFERENCE}",
    statement="The share of energy that is signal predicts the echo of the top direction.",
    statistic="ρ minus echo² of one direction under additive noise",
    criterion="between −0.1 and 0.1",
    needs=(GROWTH,),
)
def rho_printed(config: Config, found: Results) -> Judgement:
    most = found.where(kind="additive", replicas=max(config.simulations.growth))
    return within(over_seeds(column(most, "rho") - column(most, "echo") ** 2), -0.1, 0.1)


@STUDY.claim(
    "prediction-simulated",
    source=f"{DOCUMENT}, {OBSERVABLES}, prediction 2",
    statement="ζ ≈ √(c_L²c_R²) over the leading directions.",
    statistic="ζ_emp − ζ_pred of the top 8",
    criterion="between −0.02 and 0.02 under every kind of noise",
    needs=(SIMULATED,),
)
def prediction_simulated(config: Config, found: Results) -> Judgement:
    parts = {}
    for kind in KINDS:
        chosen = found.where(kind=kind)
        gap = column(chosen, "zeta_emp") - column(chosen, "zeta_pred")
        parts[kind] = within(over_seeds(gap), -0.02, 0.02)
    return combined(parts)


@STUDY.claim(
    "gap-slope-simulated",
    source=f"{DOCUMENT}, {OBSERVABLES}, prediction 3",
    statement="1 − ζ² is linear in 1 − c_L²c_R², with slope 1 and intercept 0 by its own formula.",
    statistic="slope and intercept over directions and kinds of noise",
    criterion="slope between 0.95 and 1.05, intercept between −0.02 and 0.02",
    needs=(SIMULATED,),
)
def gap_slope_simulated(config: Config, found: Results) -> Judgement:
    fits = []
    for seed in sorted({result.case.seed for result in found}):
        chosen = found.where(seed=seed)
        eta = 1 - (chosen.stack("left") * chosen.stack("right")).ravel()
        fits.append(np.polyfit(eta, 1 - chosen.stack("echo").ravel() ** 2, 1))
    slopes, intercepts = np.array(fits).T
    return combined(
        {
            "slope": within(over_seeds(slopes), 0.95, 1.05),
            "intercept": within(over_seeds(intercepts), -0.02, 0.02),
        }
    )


@STUDY.claim(
    "steady-values-simulated",
    source=f"{DOCUMENT}, {SETUP}",
    statement="Leading singular values are stable over replicas while their directions vary.",
    statistic="relative spread of σ_i over √(1 − c_L²), mean over directions",
    criterion="below 0.5 under multiplicative noise",
    needs=(SIMULATED,),
)
def steady_values_simulated(config: Config, found: Results) -> Judgement:
    chosen = found.where(kind="multiplicative")
    sines = np.sqrt(np.clip(1 - chosen.stack("truth_left"), 0, 1))
    return below(over_seeds((chosen.stack("spread") / sines).mean(1)), 0.5)


@STUDY.claim(
    "components-recovered",
    source=f"{DOCUMENT}, {BASIS}",
    statement="Var Ã, Var B̃ and cov(Ã, B̃) can be read off the scatter in the SVD basis.",
    statistic="estimates over the truth; the covariance over √(Var Ã Var B̃)",
    criterion="variances between 0.8 and 1.2, covariance between −0.2 and 0.2",
    needs=(SIMULATED,),
)
def components_recovered(config: Config, found: Results) -> Judgement:
    s, chosen = config.simulations, found.where(kind="multiplicative")
    return combined(
        {
            "left": within(over_seeds(column(chosen, "var_left") / s.left**2), 0.8, 1.2),
            "right": within(over_seeds(column(chosen, "var_right") / s.right**2), 0.8, 1.2),
            "cross": within(
                over_seeds(column(chosen, "var_cross") / (s.left * s.right)), -0.2, 0.2
            ),
        }
    )


@STUDY.claim(
    "kinds-told-apart",
    source="this project",
    statement="Overlaps tell isotropic additive noise from noise in proportion to the signal.",
    statistic="share of data sets with the right verdict; undecided ones count as wrong",
    criterion="above 0.8 for additive, proportional and multiplicative noise",
    needs=(SIMULATED,),
)
def kinds_told_apart(config: Config, found: Results) -> Judgement:
    right = {
        "additive": "isotropic additive",
        "proportional": "signal-proportional",
        "multiplicative": "signal-proportional",
    }
    return combined(
        {
            kind: above(share([r["verdict"] == verdict for r in found.where(kind=kind)]), 0.8)
            for kind, verdict in right.items()
        }
    )


@STUDY.claim(
    "proportional-kinds-alike",
    source="this project",
    statement="Overlaps do not tell multiplicative noise from additive noise in proportion to the "
    "signal.",
    statistic="1 − c_L² under the one over that under the other",
    criterion="between 0.95 and 1.05",
    needs=(SIMULATED,),
)
def proportional_kinds_alike(config: Config, found: Results) -> Judgement:
    one, other = (1 - found.where(kind=k).stack("truth_left").mean(1) for k in PROPORTIONAL)
    return within(ratio(one, other), 0.95, 1.05)


@STUDY.claim(
    "coupling-tells",
    source="this project",
    statement="The coupling of what lies off the leading directions tells them apart.",
    statistic="coupling κ",
    criterion="multiplicative between 0.9 and 1.1, proportional between −0.2 and 0.2",
    needs=(SIMULATED,),
)
def coupling_tells(config: Config, found: Results) -> Judgement:
    limits = {"proportional": (-0.2, 0.2), "multiplicative": (0.9, 1.1)}
    return combined(
        {
            kind: within(over_seeds(column(found.where(kind=kind), "coupling")), *limits[kind])
            for kind in PROPORTIONAL
        }
    )
