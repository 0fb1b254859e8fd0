"""If not rank, what? Curvature, generalisation, geometry; and what is as good and cheaper."""

from __future__ import annotations

import numpy as np

from spectrain_studies.frame import Above, Below, Measured, OnEvery, Result, Results
from spectrain_studies.frame.statistics import over_seeds, paired
from spectrain_studies.rank.causes.prediction import LOSSES, collect, skill
from spectrain_studies.rank.config import RankConfig
from spectrain_studies.rank.interventions.claims import claim_of_loss
from spectrain_studies.rank.learning import (
    ADAM_UPDATES,
    AS_PRINTED,
    CHEAP_UPDATES,
    DYNAMICS,
    MOMENTUM_UPDATES,
)
from spectrain_studies.rank.newton_schulz.claims import (
    GRADIENTS,
    benefit,
    by_seed,
    correlation,
    share_of_rank,
)
from spectrain_studies.rank.newton_schulz.experiment import ORTHONORMALIZING
from spectrain_studies.rank.statistics import joined, on_models, on_results, result_of, with_arms
from spectrain_studies.rank.study import STUDY

REFUTED = "Expected outcomes, “If hypothesis is REFUTED”"
SUPPORTED = "Expected outcomes, “If hypothesis is SUPPORTED”"
AS_GOOD = OnEvery("model", Below(0.02, "nats"))
"""Nats of held-out loss within which an arm counts as no worse."""


@STUDY.claim(
    "curvature-normalised",
    source=f"{REFUTED}, curvature normalization",
    statement="Orthonormal steps meet less curvature than gradient steps of the same length.",
    statistic="median of ln(uᵀHu along polar(G) over that along G), unit Frobenius norm, over "
    f"{GRADIENTS} with positive curvature along both; mean over seeds",
    criterion=OnEvery("model", Below(0)),
    needs=(ORTHONORMALIZING,),
)
def curvature_normalised(config: RankConfig, runs: Results) -> dict[str, Measured]:
    """Together with the share of blocks in which lower curvature outweighs the lost slope."""

    def on(result: Result) -> Measured:
        spectral, euclidean = (
            np.asarray(result[f"curvature_{name}"]) for name in ("spectral", "euclidean")
        )
        bent = (spectral > 0) & (euclidean > 0)
        ratio = np.log(np.where(bent, spectral, 1.0) / np.where(bent, euclidean, 1.0))
        slopes = np.asarray(result["slope_spectral"]) / np.asarray(result["slope_euclidean"])
        predicted = 2 * np.log(np.maximum(slopes, 1e-12)) - ratio  # of slope²/(2·curvature)
        told = {
            "share of matrices with positive curvature along both": float(bent.mean()),
            "median slope ratio": float(np.median(slopes)),
            "spectral gains more by slope²/2κ, share": float(np.mean(predicted[bent] > 0)),
            "spectral gains more as realised, share": float(np.mean(benefit(result) > 0)),
        }
        masked = np.where(bent, ratio, np.nan)
        return Measured(by_seed(result, masked, np.nanmedian), details=told)

    return on_results(runs, on)


@STUDY.claim(
    "generalises-better",
    source=f"{REFUTED}, implicit regularization",
    statement="At equal training loss, Muon's held-out loss is lower than that of SGD with "
    "momentum.",
    statistic="held-out loss at the lowest training loss that both reached (linear interpolation "
    "between samples), Muon minus SGD, paired over seeds",
    criterion=OnEvery("model", Below(0, "nats")),
    needs=(DYNAMICS,),
)
def generalises_better(config: RankConfig, runs: Results) -> dict[str, Measured]:
    """Losses on fixed training and held-out sets."""

    def on(model: str) -> Measured:
        muon, sgd = (result_of(runs, model, arm) for arm in ("muon", "sgd"))
        return with_arms(paired(*_at_equal_loss(muon, sgd)), runs, model, "muon", "sgd")

    return on_models(runs, on)


@STUDY.claim(
    "geometry-predicts-benefit",
    source=f"{REFUTED}, optimization geometry",
    statement="What decides is the geometry of the operator norm: the benefit of a spectral step "
    "goes with nr(G)/st(A).",
    statistic=f"Spearman correlation of nr(G)/st(A) with the realised benefit over {GRADIENTS}; "
    "mean over seeds, with that of nr(G)/r alone",
    criterion=OnEvery("model", Above(0)),
    needs=(ORTHONORMALIZING,),
)
def geometry_predicts_benefit(config: RankConfig, runs: Results) -> dict[str, Measured]:
    """The ratio of guarantees of Davis & Drusvyatskiy, eq. (1.1), beside rank alone."""

    def on(result: Result) -> Measured:
        ratio = np.asarray(result["nuclear_rank"]) / np.asarray(result["stable_rank_input"])
        gained = benefit(result)
        alone = correlation(result, share_of_rank(result), gained)
        told = {
            "correlation of nr/r with the benefit": alone.value,
            "sign foretold, share of matrices": float(np.mean((ratio > 1) == (gained > 0))),
        }
        return Measured(correlation(result, ratio, gained), details=told)

    return on_results(runs, on)


@STUDY.claim(
    "health-predicts-progress",
    source="Potential theoretical contributions, “gradient health”",
    statement="An early spectral measure predicts later progress beyond what the loss tells.",
    statistic="skill 1 − error/variance of predicting, on ranks, the fall of the held-out loss "
    "after the third sample (a quarter of the run) for an arm left out: early losses and spectral "
    "measures minus early losses alone; mean over arms",
    criterion=OnEvery("model", Above(0)),
    needs=(DYNAMICS, CHEAP_UPDATES, MOMENTUM_UPDATES, ADAM_UPDATES, AS_PRINTED),
)
def health_predicts_progress(config: RankConfig, *groups: Results) -> dict[str, Measured]:
    """Out of sample over arms: an optimizer that was never seen."""
    runs = joined(*groups)

    def on(model: str) -> Measured:
        features, progress, arms = collect(runs, model)
        base = {name: features[name] for name in LOSSES}
        floor = skill(base, progress, arms)
        gains = {
            name: float(np.mean(skill({**base, name: column}, progress, arms) - floor))
            for name, column in features.items()
            if name not in LOSSES
        }
        best = max(gains, key=lambda name: gains[name])
        told = {
            "skill of early losses alone": float(floor.mean()),
            "best single measure": best,
            "its gain in skill": gains[best],
        }
        return Measured(over_seeds(skill(features, progress, arms) - floor), details=told)

    return on_models(runs, on)


for arm, source, statement, what in (
    (
        "rows",
        f"{SUPPORTED}, lightweight alternatives",
        "Normalising the rows of the momentum does as well as Muon.",
        "rows of unit norm",
    ),
    (
        "columns",
        f"{SUPPORTED}, lightweight alternatives",
        "Normalising the columns of the momentum does as well as Muon.",
        "columns of unit norm",
    ),
    (
        "one-step",
        f"{SUPPORTED}, lightweight alternatives",
        "One Newton-Schulz step does as well as Muon's five.",
        "one quintic step",
    ),
    (
        "fisher",
        "References, “Natural gradient and Fisher information connections”",
        "A diagonal-Fisher step does as well as Muon.",
        "gradient over its running mean square, damped",
    ),
):
    claim_of_loss(
        f"{arm}-as-good-as-muon",
        arm,
        "muon",
        AS_GOOD,
        source=source,
        statement=statement,
        what=f"{what}, minus Muon",
        needs=(CHEAP_UPDATES, DYNAMICS),
    )


def _at_equal_loss(first: Result, second: Result) -> tuple[np.ndarray, np.ndarray]:
    """Held-out losses of both at the lowest training loss that both reached, per seed."""
    curves = [
        [np.asarray(one[name], dtype=np.float64) for name in ("trained_on", "held_out")]
        for one in (first, second)
    ]
    found = np.empty((2, curves[0][0].shape[1]))
    for seed in range(found.shape[1]):
        level = max(train[:, seed].min() for train, _ in curves)
        for number, (train, held_out) in enumerate(curves):
            falling = np.minimum.accumulate(train[:, seed])
            found[number, seed] = np.interp(-level, -falling, held_out[:, seed])
    return found[0], found[1]
