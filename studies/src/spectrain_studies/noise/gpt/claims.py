"""Claims on the GPT's own replicas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from spectrain.noise import Estimate
from spectrain_studies.frame import (
    Above,
    AllOf,
    Below,
    Criterion,
    Measured,
    Planted,
    Result,
    Results,
    Within,
    near,
    planted,
)
from spectrain_studies.frame.statistics import Array, share
from spectrain_studies.noise.config import Config
from spectrain_studies.noise.gpt.experiment import TRAINED
from spectrain_studies.noise.statistics import line, over_seeds
from spectrain_studies.noise.study import (
    ADDITIVE,
    BASIS,
    DOCUMENT,
    ECHO,
    MODEL,
    OBSERVABLES,
    REFERENCE,
    SETUP,
    STUDY,
    VECTORS,
)

LINE = AllOf({"slope": Within(0.9, 1.1), "intercept": Within(-0.05, 0.05)})
SURE = 1.75
"""Standard errors by which an estimate is told from 0."""
CHECKPOINTS, MATRICES, DIRECTIONS = 3, 6, 8


def trained(result: Result, name: str) -> Array:
    """A table without the untrained checkpoint, where half of the gradients are 0."""
    return np.asarray(result[name], dtype=float)[1:]


def single(result: Result) -> NDArray[np.bool_]:
    """Directions that are no part of a degenerate subspace."""
    return np.asarray(result["single"], dtype=bool)[1:]


def _worlds(true: dict[str, Any], false: dict[str, Any]) -> Planted:
    """Tables of checkpoints × matrices, all entries at one level, or along the directions."""

    def table(level: Any) -> Any:
        shape = (CHECKPOINTS, MATRICES, *np.shape(level))
        return np.broadcast_to(level, shape).copy()

    return planted(
        TRAINED,
        near(**{name: table(level) for name, level in true.items()}),
        near(**{name: table(level) for name, level in false.items()}),
    )


def _claim(
    name: str,
    source: str,
    statement: str,
    statistic: str,
    criterion: Criterion,
    measure: Callable[[Result], float],
    *,
    worlds: Planted | None = None,
    note: str = "",
    details: Callable[[Config, Results], dict[str, Any]] | None = None,
) -> None:
    """A claim on one number of each training, averaged over trainings."""

    @STUDY.claim(
        f"gpt-{name}",
        source=source,
        statement=statement,
        statistic=statistic,
        criterion=criterion,
        needs=(TRAINED,),
        planted=worlds,
    )
    def judge(config: Config, found: Results) -> Measured:
        told = details(config, found) if details else {}
        return Measured(over_seeds([measure(r) for r in found]), note=note, details=told)


def _published(result: Result) -> float:
    published = np.nanmedian(trained(result, "uncorrected"), axis=-1)
    corrected = trained(result, "zeta_emp")
    kept = corrected > 0.05
    return float(np.mean(published[kept] / corrected[kept]))


def _off_prediction(result: Result) -> float:
    return float(np.nanmean(np.abs(trained(result, "zeta_emp") - trained(result, "zeta_pred"))))


def _off_separate(result: Result) -> float:
    predicted = np.sqrt(np.clip(trained(result, "left") * trained(result, "right"), 0, None))
    return float(np.mean(np.abs(trained(result, "echo") - predicted)[single(result)]))


def _steady(result: Result) -> float:
    sines = np.sqrt(np.clip(1 - trained(result, "left"), 0, 1))
    return float(np.mean(trained(result, "spread") < sines))


def _with_gaps(result: Result) -> float:
    values, left = trained(result, "mean_sigma"), trained(result, "left")
    found = [
        spearmanr(1 - overlap, _closeness(sigma)).statistic
        for sigma, overlap in zip(
            values.reshape(-1, values.shape[-1]), left.reshape(-1, left.shape[-1]), strict=True
        )
        if np.ptp(overlap) > 0
    ]
    return float(np.nanmean(found))


def _closeness(sigma: Array) -> Array:
    x = sigma**2
    gaps = (x[:, None] - x[None, :]) ** 2
    np.fill_diagonal(gaps, np.inf)
    return np.asarray(((x[:, None] + x[None, :]) * x[:, None] / gaps).sum(1))


_claim(
    "plateau",
    f"{DOCUMENT}, {OBSERVABLES}, prediction 1",
    "The echo plateau of real gradients lies below 1",
    "ζ_emp of the top 8, mean over matrices and trained checkpoints",
    Below(0.99),
    lambda r: float(np.nanmean(trained(r, "zeta_emp"))),
    worlds=_worlds({"zeta_emp": 0.5}, {"zeta_emp": 0.998}),
)
_claim(
    "plateau-published",
    REFERENCE,
    "The published estimator reports the same plateau as the corrected one",
    "median over the top 8, published over corrected, mean over matrices",
    Within(0.99, 1.01),
    _published,
    worlds=_worlds(
        {"uncorrected": np.full(DIRECTIONS, 0.5), "zeta_emp": 0.5},
        {"uncorrected": np.full(DIRECTIONS, 0.4), "zeta_emp": 0.5},
    ),
    details=lambda config, found: {
        "√((R−2)/R)": ((config.transformer.replicas - 2) / config.transformer.replicas) ** 0.5
    },
)
_claim(
    "prediction",
    f"{DOCUMENT}, {OBSERVABLES}, prediction 2",
    "ζ_emp ≈ √(c_L²c_R²) over the top 8 of real gradients",
    "mean over matrices and trained checkpoints of |ζ_emp − ζ_pred|",
    Below(0.05),
    _off_prediction,
    worlds=_worlds({"zeta_emp": 0.5, "zeta_pred": 0.5}, {"zeta_emp": 0.5, "zeta_pred": 0.3}),
)
_claim(
    "prediction-separate",
    f"{DOCUMENT}, {OBSERVABLES}, prediction 2",
    "ζ_i ≈ √(c_L²c_R²) for directions whose singular values the noise keeps apart",
    "mean over such directions of |ζ_i − √(c_L²c_R²)|",
    Below(0.05),
    _off_separate,
    worlds=_worlds(
        dict.fromkeys(("left", "right", "echo"), np.full(DIRECTIONS, 0.8))
        | {"single": np.full(DIRECTIONS, True)},
        dict.fromkeys(("left", "right"), np.full(DIRECTIONS, 0.8))
        | {"echo": np.full(DIRECTIONS, 0.5), "single": np.full(DIRECTIONS, True)},
    ),
    details=lambda config, found: {"directions": sum(int(single(r).sum()) for r in found)},
)
_claim(
    "steady-values",
    f"{DOCUMENT}, {SETUP}",
    "Leading singular values are stable over replicas while their directions vary",
    "share of directions whose relative spread of σ is below √(1 − c_L²)",
    Above(0.95),
    _steady,
)
_claim(
    "side-coupling",
    f"{DOCUMENT}, {ECHO}",
    "Left and right fluctuations are weakly coupled",
    "correlation of c_L² with c_R² over replicas, mean over directions and matrices",
    Within(-0.2, 0.2),
    lambda r: float(np.nanmean(trained(r, "side_correlation"))),
    worlds=_worlds({"side_correlation": 0.05}, {"side_correlation": 0.5}),
)
_claim(
    "coupling",
    f"{DOCUMENT}, {MODEL}",
    "The noise of real gradients acts as left and right factors",
    "coupling κ (1 for factors, 0 for additive noise), median over matrices",
    Above(0.5),
    lambda r: float(np.nanmedian(trained(r, "coupling"))),
    worlds=_worlds({"coupling": 0.9}, {"coupling": 0.1}),
)
_claim(
    "gaps",
    f"{DOCUMENT}, {VECTORS}",
    "Directions with small spectral gaps rotate more",
    "rank correlation of 1 − c_L² with Σ(σ_i² + σ_j²)σ_i²/(σ_i² − σ_j²)² over a matrix's "
    "directions, mean over matrices",
    Above(0),
    _with_gaps,
    note="Small directions also have small gaps: this alone does not tell gap from size",
)
_claim(
    "rho",
    f"one-number predictor of the {REFERENCE}",
    "The share of energy that is signal predicts the plateau of real gradients",
    "mean over matrices of |ρ − ζ_emp²|",
    Below(0.1),
    lambda r: float(np.nanmean(np.abs(trained(r, "rho") - trained(r, "zeta_emp") ** 2))),
    worlds=_worlds({"rho": 0.25, "zeta_emp": 0.5}, {"rho": 0.6, "zeta_emp": 0.5}),
)


@STUDY.claim(
    "gpt-gap-slope-separate",
    source=f"{DOCUMENT}, {OBSERVABLES}, prediction 3",
    statement="1 − ζ_i² is linear in 1 − c_L²c_R² over directions that the noise keeps apart: "
    "slope 1, intercept 0",
    statistic="slope and intercept of a line through each training's separate directions",
    criterion=LINE,
    needs=(TRAINED,),
)
def gap_slope_separate(config: Config, found: Results) -> dict[str, Measured]:
    def points(result: Result) -> tuple[Array, Array]:
        kept = single(result)
        eta = 1 - (trained(result, "left") * trained(result, "right"))[kept]
        return eta, 1 - trained(result, "echo")[kept] ** 2

    return line([points(result) for result in found])


@STUDY.claim(
    "gpt-gap-slope",
    source=f"{DOCUMENT}, {OBSERVABLES}, prediction 3",
    statement="γ_echo is linear in η_mult over matrices and checkpoints: slope 1, intercept 0",
    statistic="slope and intercept of a line through each training's matrices",
    criterion=LINE,
    needs=(TRAINED,),
)
def gap_slope(config: Config, found: Results) -> dict[str, Measured]:
    def points(result: Result) -> tuple[Array, Array]:
        eta, gamma = trained(result, "eta_mult").ravel(), trained(result, "gamma_echo").ravel()
        kept = np.isfinite(eta) & np.isfinite(gamma)
        return eta[kept], gamma[kept]

    return line([points(result) for result in found])


@STUDY.claim(
    "gpt-components",
    source=f"{DOCUMENT}, {MODEL} and {BASIS}",
    statement="Left and right noise are there and uncorrelated: Var Ã, Var B̃ > 0, E[ÃB̃] = 0",
    statistic=f"share of matrices whose estimate lies {SURE} errors above 0; for the covariance, "
    f"within {SURE} errors of 0",
    criterion=AllOf({"left": Above(0.8), "right": Above(0.8), "covariance": Above(0.8)}),
    needs=(TRAINED,),
)
def components(config: Config, found: Results) -> dict[str, Measured]:
    def in_errors(result: Result, name: str) -> Array:
        return trained(result, f"var_{name}") / trained(result, f"var_{name}_error")

    def shares(told: Callable[[Result], NDArray[np.bool_]]) -> Measured:
        return Measured(over_seeds([float(told(result).mean()) for result in found]))

    return {
        "left": shares(lambda r: in_errors(r, "left") > SURE),
        "right": shares(lambda r: in_errors(r, "right") > SURE),
        "covariance": shares(lambda r: np.abs(in_errors(r, "cross")) < SURE),
    }


@STUDY.claim(
    "gpt-drift",
    source=f"{DOCUMENT}, {ADDITIVE} (“a stable plateau”)",
    statement="The plateau is stable, read as: through training",
    statistic="ζ_emp at the last checkpoint minus at the first trained one, mean over matrices",
    criterion=Within(-0.05, 0.05),
    needs=(TRAINED,),
)
def drift(config: Config, found: Results) -> Estimate:
    if len(config.transformer.checkpoints) < 3:
        return Estimate.missing("one trained checkpoint", replicas=len(found))
    tables = [trained(result, "zeta_emp") for result in found]
    return over_seeds([float(np.nanmean(table[-1] - table[0])) for table in tables])


@STUDY.claim(
    "gpt-kind",
    source=f"{DOCUMENT}, {SETUP}",
    statement="A purely additive (isotropic) noise model does not explain the directions of real "
    "gradients",
    statistic="share of trainings in which most decided verdicts are signal-proportional",
    criterion=Above(0.5),
    needs=(TRAINED,),
)
def kind(config: Config, found: Results) -> Measured:
    told = np.array([np.asarray(result["verdict"])[1:] for result in found])
    counts = {
        str(name): int(number)
        for name, number in zip(*np.unique(told, return_counts=True), strict=True)
    }
    most = [
        (verdicts == "signal-proportional").sum() > (verdicts == "isotropic additive").sum()
        for verdicts in told
    ]
    return Measured(share(most), details=counts)
