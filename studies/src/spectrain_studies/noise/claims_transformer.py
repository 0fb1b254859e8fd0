"""Claims on the GPT's own replicas, and on what is made of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spectrain.noise import Estimate
from spectrain_studies.frame import (
    Judgement,
    Result,
    Results,
    above,
    below,
    combined,
    undecided,
    within,
)
from spectrain_studies.noise.attribution import ATTRIBUTED, SOURCES
from spectrain_studies.noise.channels import RESCALED
from spectrain_studies.noise.config import Config
from spectrain_studies.noise.study import (
    BASIS,
    COORDINATES,
    DOCUMENT,
    ECHO,
    MODEL,
    OBSERVABLES,
    REFERENCE,
    SETUP,
    STUDY,
    VECTORS,
    column,
    over_seeds,
)
from spectrain_studies.noise.transformer import TRAINED

Table = NDArray[np.float64]


def per_seed(found: Results, statistic: Callable[[Result], float]) -> Estimate:
    """A statistic of each training, averaged over trainings."""
    return over_seeds([statistic(result) for result in found])


def trained(result: Result, name: str) -> Table:
    """A table without the untrained checkpoint, where half of the gradients are 0."""
    table: Table = np.asarray(result[name], dtype=float)[1:]
    return table


def single(result: Result) -> NDArray[np.bool_]:
    """Directions that are no part of a degenerate subspace."""
    flags: NDArray[np.bool_] = np.asarray(result["single"], dtype=bool)[1:]
    return flags


@STUDY.claim(
    "gpt-plateau",
    source=f"{DOCUMENT}, {OBSERVABLES}, prediction 1",
    statement="The echo plateau of real gradients lies below 1.",
    statistic="ζ_emp of the top 8, mean over matrices and trained checkpoints",
    criterion="below 0.99",
    needs=(TRAINED,),
)
def gpt_plateau(config: Config, found: Results) -> Judgement:
    return below(per_seed(found, lambda r: float(np.nanmean(trained(r, "zeta_emp")))), 0.99)


@STUDY.claim(
    "gpt-plateau-published",
    source=REFERENCE,
    statement="The published estimator reports the same plateau as the corrected one.",
    statistic="median over the top 8, published over corrected, mean over matrices",
    criterion="between 0.99 and 1.01",
    needs=(TRAINED,),
)
def gpt_plateau_published(config: Config, found: Results) -> Judgement:
    def statistic(result: Result) -> float:
        published = np.nanmedian(trained(result, "uncorrected"), axis=-1)
        corrected = trained(result, "zeta_emp")
        kept = corrected > 0.05
        return float(np.mean(published[kept] / corrected[kept]))

    count = config.transformer.replicas
    return within(
        per_seed(found, statistic),
        0.99,
        1.01,
        details={"√((R−2)/R)": ((count - 2) / count) ** 0.5},
    )


@STUDY.claim(
    "gpt-prediction",
    source=f"{DOCUMENT}, {OBSERVABLES}, prediction 2",
    statement="ζ_emp ≈ √(c_L²c_R²) over the top 8 of real gradients.",
    statistic="mean over matrices and trained checkpoints of |ζ_emp − ζ_pred|",
    criterion="below 0.05",
    needs=(TRAINED,),
)
def gpt_prediction(config: Config, found: Results) -> Judgement:
    return below(
        per_seed(
            found,
            lambda r: float(np.nanmean(np.abs(trained(r, "zeta_emp") - trained(r, "zeta_pred")))),
        ),
        0.05,
    )


@STUDY.claim(
    "gpt-prediction-separate",
    source=f"{DOCUMENT}, {OBSERVABLES}, prediction 2",
    statement="ζ_i ≈ √(c_L²c_R²) for directions whose singular values the noise keeps apart.",
    statistic="mean over such directions of |ζ_i − √(c_L²c_R²)|",
    criterion="below 0.05",
    needs=(TRAINED,),
)
def gpt_prediction_separate(config: Config, found: Results) -> Judgement:
    def statistic(result: Result) -> float:
        predicted = np.sqrt(np.clip(trained(result, "left") * trained(result, "right"), 0, None))
        return float(np.mean(np.abs(trained(result, "echo") - predicted)[single(result)]))

    count = [int(single(result).sum()) for result in found]
    return below(per_seed(found, statistic), 0.05, details={"directions": sum(count)})


@STUDY.claim(
    "gpt-gap-slope-separate",
    source=f"{DOCUMENT}, {OBSERVABLES}, prediction 3",
    statement="1 − ζ_i² is linear in 1 − c_L²c_R² over such directions: slope 1, intercept 0.",
    statistic="slope and intercept of a line through each training's separate directions",
    criterion="slope between 0.9 and 1.1, intercept between −0.05 and 0.05",
    needs=(TRAINED,),
)
def gpt_gap_slope_separate(config: Config, found: Results) -> Judgement:
    fits = []
    for result in found:
        kept = single(result)
        eta = 1 - (trained(result, "left") * trained(result, "right"))[kept]
        fits.append(np.polyfit(eta, 1 - trained(result, "echo")[kept] ** 2, 1))
    slopes, intercepts = np.array(fits).T
    return combined(
        {
            "slope": within(over_seeds(slopes), 0.9, 1.1),
            "intercept": within(over_seeds(intercepts), -0.05, 0.05),
        }
    )


@STUDY.claim(
    "gpt-gap-slope",
    source=f"{DOCUMENT}, {OBSERVABLES}, prediction 3",
    statement="γ_echo is linear in η_mult over matrices and checkpoints: slope 1, intercept 0.",
    statistic="slope and intercept of a line through each training's matrices",
    criterion="slope between 0.9 and 1.1, intercept between −0.05 and 0.05",
    needs=(TRAINED,),
)
def gpt_gap_slope(config: Config, found: Results) -> Judgement:
    fits = []
    for result in found:
        eta, gamma = trained(result, "eta_mult").ravel(), trained(result, "gamma_echo").ravel()
        kept = np.isfinite(eta) & np.isfinite(gamma)
        fits.append(np.polyfit(eta[kept], gamma[kept], 1))
    slopes, intercepts = np.array(fits).T
    return combined(
        {
            "slope": within(over_seeds(slopes), 0.9, 1.1),
            "intercept": within(over_seeds(intercepts), -0.05, 0.05),
        }
    )


@STUDY.claim(
    "gpt-steady-values",
    source=f"{DOCUMENT}, {SETUP}",
    statement="Leading singular values are stable over replicas while their directions vary.",
    statistic="share of directions whose relative spread of σ is below √(1 − c_L²)",
    criterion="above 0.95",
    needs=(TRAINED,),
)
def gpt_steady_values(config: Config, found: Results) -> Judgement:
    def statistic(result: Result) -> float:
        sines = np.sqrt(np.clip(1 - trained(result, "left"), 0, 1))
        return float(np.mean(trained(result, "spread") < sines))

    return above(per_seed(found, statistic), 0.95)


@STUDY.claim(
    "gpt-components",
    source=f"{DOCUMENT}, {MODEL} and {BASIS}",
    statement="Left and right noise are there and uncorrelated: Var Ã, Var B̃ > 0, E[ÃB̃] = 0.",
    statistic="share of matrices whose estimate lies 1.75 errors above 0; for the covariance, "
    "within 1.75 errors of 0",
    criterion="above 0.8 each",
    needs=(TRAINED,),
)
def gpt_components(config: Config, found: Results) -> Judgement:
    def positive(name: str) -> Callable[[Result], float]:
        return lambda r: float(
            np.mean(trained(r, f"var_{name}") > 1.75 * trained(r, f"var_{name}_error"))
        )

    def none(result: Result) -> float:
        cross, error = trained(result, "var_cross"), trained(result, "var_cross_error")
        return float(np.mean(np.abs(cross) < 1.75 * error))

    return combined(
        {
            "left": above(per_seed(found, positive("left")), 0.8),
            "right": above(per_seed(found, positive("right")), 0.8),
            "covariance": above(per_seed(found, none), 0.8),
        }
    )


@STUDY.claim(
    "gpt-side-coupling",
    source=f"{DOCUMENT}, {ECHO}",
    statement="Left and right fluctuations are weakly coupled.",
    statistic="correlation of c_L² with c_R² over replicas, mean over directions and matrices",
    criterion="between −0.2 and 0.2",
    needs=(TRAINED,),
)
def gpt_side_coupling(config: Config, found: Results) -> Judgement:
    return within(
        per_seed(found, lambda r: float(np.nanmean(trained(r, "side_correlation")))), -0.2, 0.2
    )


@STUDY.claim(
    "gpt-drift",
    source=f"{DOCUMENT}, {SETUP}",
    statement="The plateau is stable through training.",
    statistic="ζ_emp at the last checkpoint minus at the first trained one, mean over matrices",
    criterion="between −0.05 and 0.05",
    needs=(TRAINED,),
)
def gpt_drift(config: Config, found: Results) -> Judgement:
    if len(config.transformer.checkpoints) < 3:
        return undecided("one trained checkpoint")
    return within(
        per_seed(
            found,
            lambda r: float(np.nanmean(trained(r, "zeta_emp")[-1] - trained(r, "zeta_emp")[0])),
        ),
        -0.05,
        0.05,
    )


@STUDY.claim(
    "gpt-kind",
    source=f"{DOCUMENT}, {SETUP}",
    statement="A purely additive noise model does not explain the directions of real gradients.",
    statistic="share of signal-proportional verdicts among the decided ones",
    criterion="above 0.5",
    needs=(TRAINED,),
)
def gpt_kind(config: Config, found: Results) -> Judgement:
    told = np.array([np.asarray(result["verdict"])[1:] for result in found])
    counts = {
        str(name): int(number)
        for name, number in zip(*np.unique(told, return_counts=True), strict=True)
    }

    def statistic(result: Result) -> float:
        verdicts = np.asarray(result["verdict"])[1:]
        decided = verdicts[verdicts != "undecided"]
        return float(np.mean(decided == "signal-proportional")) if decided.size else float("nan")

    return above(per_seed(found, statistic), 0.5, details=counts)


@STUDY.claim(
    "gpt-coupling",
    source=f"{DOCUMENT}, {MODEL}",
    statement="The noise of real gradients acts as left and right factors.",
    statistic="coupling κ (1 for factors, 0 for additive noise), median over matrices",
    criterion="above 0.5",
    needs=(TRAINED,),
)
def gpt_coupling(config: Config, found: Results) -> Judgement:
    return above(per_seed(found, lambda r: float(np.nanmedian(trained(r, "coupling")))), 0.5)


@STUDY.claim(
    "gpt-gaps",
    source=f"{DOCUMENT}, {VECTORS}",
    statement="Directions with small spectral gaps rotate more.",
    statistic="rank correlation of 1 − c_L² with Σ(σ_i² + σ_j²)σ_i²/(σ_i² − σ_j²)² over a matrix's "
    "directions, mean over matrices",
    criterion="above 0",
    needs=(TRAINED,),
)
def gpt_gaps(config: Config, found: Results) -> Judgement:
    from scipy.stats import spearmanr

    def statistic(result: Result) -> float:
        values, left = trained(result, "mean_sigma"), trained(result, "left")
        found = []
        for sigma, overlap in zip(
            values.reshape(-1, values.shape[-1]), left.reshape(-1, left.shape[-1]), strict=True
        ):
            if np.ptp(overlap) > 0:
                found.append(spearmanr(1 - overlap, _closeness(sigma)).statistic)
        return float(np.nanmean(found))

    return above(
        per_seed(found, statistic),
        0.0,
        note="Small directions also have small gaps: this alone does not tell gap from size.",
    )


def _closeness(sigma: Table) -> Table:
    x = sigma**2
    gaps = (x[:, None] - x[None, :]) ** 2
    np.fill_diagonal(gaps, np.inf)
    pairs: Table = ((x[:, None] + x[None, :]) * x[:, None] / gaps).sum(1)
    return pairs


@STUDY.claim(
    "gpt-rho",
    source=f"one-number predictor of the {REFERENCE}",
    statement="The share of energy that is signal predicts the plateau of real gradients.",
    statistic="mean over matrices of |ρ − ζ_emp²|",
    criterion="below 0.1",
    needs=(TRAINED,),
)
def gpt_rho(config: Config, found: Results) -> Judgement:
    return below(
        per_seed(
            found,
            lambda r: float(np.nanmean(np.abs(trained(r, "rho") - trained(r, "zeta_emp") ** 2))),
        ),
        0.1,
    )


@STUDY.claim(
    "channels",
    source=f"{DOCUMENT}, {COORDINATES}",
    statement="The plateau does not change when channels are rescaled and the function is kept.",
    statistic="|change of ζ_emp| of a ReLU MLP's matrices, channels scaled between ¼ and 4",
    criterion="below 0.01",
    needs=(RESCALED,),
)
def channels(config: Config, found: Results) -> Judgement:
    return below(
        per_seed(found, lambda r: float(np.abs(r["after"] - r["before"]).mean())),
        0.01,
        details={"loss changes by": float(column(found, "loss_change").max())},
    )


def _attributed(source: str) -> Callable[[Config, Results], Judgement]:
    place = SOURCES.index(source)

    def judge(config: Config, found: Results) -> Judgement:
        def mean(name: str) -> float:
            return float(np.nanmedian([np.asarray(r[name], dtype=float)[place] for r in found]))

        verdicts = np.concatenate([np.asarray(r["verdict"])[place] for r in found])
        details = {name: mean(name) for name in ("coupling", "zeta_emp", "rho")}
        details["isotropic verdicts"] = int((verdicts == "isotropic additive").sum())
        details["proportional verdicts"] = int((verdicts == "signal-proportional").sum())
        return combined(
            {
                "score": above(
                    per_seed(found, lambda r: float(np.nanmean(np.asarray(r["score"])[place]))),
                    0.0,
                    details=details,
                ),
                "coupling": above(
                    per_seed(
                        found, lambda r: float(np.nanmedian(np.asarray(r["coupling"])[place]))
                    ),
                    0.5,
                ),
            }
        )

    return judge


for _source in SOURCES:
    STUDY.claim(
        f"source-{_source}",
        source=f"{DOCUMENT}, {MODEL}",
        statement=f"{_source.capitalize()} alone makes multiplicative noise.",
        statistic="score of signal-proportional against isotropic noise, mean over matrices; "
        "coupling κ, median over matrices",
        criterion="score above 0 and coupling above 0.5",
        needs=(ATTRIBUTED,),
    )(_attributed(_source))
