"""If not rank, what? Curvature, generalisation, geometry; and what is as good and cheaper."""

from __future__ import annotations

import numpy as np

from spectrain_studies.frame import Judgement, Result, Results, above, below
from spectrain_studies.rank.claims_newton_schulz import (
    GRADIENTS,
    benefit,
    by_seed,
    correlation,
    share,
)
from spectrain_studies.rank.config import RankConfig
from spectrain_studies.rank.learning import (
    ADAM_UPDATES,
    AS_PRINTED,
    CHEAP_UPDATES,
    DYNAMICS,
    MOMENTUM_UPDATES,
)
from spectrain_studies.rank.orthonormalizing import ORTHONORMALIZING
from spectrain_studies.rank.prediction import LOSSES, collect, skill
from spectrain_studies.rank.statistics import (
    final_loss,
    joined,
    learning_details,
    mean_of,
    paired,
    per_model,
    result_of,
)
from spectrain_studies.rank.study import STUDY

REFUTED = "Expected outcomes, “If hypothesis is REFUTED”"
SUPPORTED = "Expected outcomes, “If hypothesis is SUPPORTED”"
MARGIN = 0.02
"""Nats of held-out loss within which an arm counts as no worse."""


@STUDY.claim(
    "curvature-normalised",
    source=f"{REFUTED}, curvature normalization",
    statement="Orthonormal steps meet less curvature than gradient steps of the same length.",
    statistic="median of ln(uᵀHu along polar(G) over that along G), unit Frobenius norm, over "
    f"{GRADIENTS} with positive curvature along both; mean over seeds",
    criterion="below 0 by its 95 % interval on every model",
    needs=(ORTHONORMALIZING,),
)
def curvature_normalised(config: RankConfig, runs: Results) -> Judgement:
    """Together with the share of blocks in which lower curvature outweighs the lost slope."""

    def judge(model: str) -> Judgement:
        result = runs.where(model=model).only()
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
        return below(by_seed(result, masked, np.nanmedian), 0.0, details=told)

    return per_model(runs, judge)


@STUDY.claim(
    "generalises-better",
    source=f"{REFUTED}, implicit regularization",
    statement="At equal training loss, Muon's held-out loss is lower than that of SGD with "
    "momentum.",
    statistic="held-out loss at the lowest training loss that both reached (linear interpolation "
    "between samples), Muon minus SGD, paired over seeds",
    criterion="95 % t interval over seeds below 0 on every model",
    needs=(DYNAMICS,),
)
def generalises_better(config: RankConfig, runs: Results) -> Judgement:
    """Losses on fixed training and held-out sets."""

    def judge(model: str) -> Judgement:
        muon, sgd, adam = (result_of(runs, model, arm) for arm in ("muon", "sgd", "adamw"))
        estimate, told = paired(*_at_equal_loss(muon, sgd))
        against_adam, _ = paired(*_at_equal_loss(muon, adam))
        told["Muon minus AdamW"] = against_adam.value
        return below(estimate, 0.0, details=told)

    return per_model(runs, judge)


@STUDY.claim(
    "geometry-predicts-benefit",
    source=f"{REFUTED}, optimization geometry",
    statement="What decides is the geometry of the operator norm: the benefit of a spectral step "
    "goes with nr(G)/st(A).",
    statistic=f"Spearman correlation of nr(G)/st(A) with the realised benefit over {GRADIENTS}, "
    "minus that of nr(G)/r alone; mean over seeds of the first, with both",
    criterion="first correlation above 0 by its 95 % interval on every model",
    needs=(ORTHONORMALIZING,),
)
def geometry_predicts_benefit(config: RankConfig, runs: Results) -> Judgement:
    """The ratio of guarantees of Davis & Drusvyatskiy, eq. (1.1), beside rank alone."""

    def judge(model: str) -> Judgement:
        result = runs.where(model=model).only()
        ratio = np.asarray(result["nuclear_rank"]) / np.asarray(result["stable_rank_input"])
        gained = benefit(result)
        told = {
            "correlation of nr/r with the benefit": correlation(
                result, share(result), gained
            ).value,
            "sign foretold, share of matrices": float(np.mean((ratio > 1) == (gained > 0))),
        }
        return above(correlation(result, ratio, gained), 0.0, details=told)

    return per_model(runs, judge)


@STUDY.claim(
    "health-predicts-progress",
    source="Potential theoretical contributions, “gradient health”",
    statement="An early spectral measure predicts later progress beyond what the loss tells.",
    statistic="skill 1 − error/variance of predicting, on ranks, the fall of the held-out loss "
    "after a fifth of the run for an arm left out: early losses and spectral measures minus early "
    "losses alone; mean over arms",
    criterion="95 % t interval over arms above 0 on every model",
    needs=(DYNAMICS, CHEAP_UPDATES, MOMENTUM_UPDATES, ADAM_UPDATES, AS_PRINTED),
)
def health_predicts_progress(config: RankConfig, *groups: Results) -> Judgement:
    """Out of sample over arms: an optimizer that was never seen."""
    runs = joined(*groups)

    def judge(model: str) -> Judgement:
        features, progress, arms = collect(runs, model)
        base = {name: features[name] for name in LOSSES}
        floor = skill(base, progress, arms)
        gains = {
            name: float(np.mean(skill({**base, name: column}, progress, arms) - floor))
            for name, column in features.items()
            if name not in LOSSES
        }
        best = max(gains, key=lambda name: gains[name])
        gain = skill(features, progress, arms) - floor
        told = {
            "skill of early losses alone": float(floor.mean()),
            "best single measure": best,
            "its gain in skill": gains[best],
        }
        return above(mean_of(gain), 0.0, details=told)

    return per_model(runs, judge)


def _as_good(runs: Results, arm: str) -> Judgement:
    def judge(model: str) -> Judgement:
        estimate, told = paired(final_loss(runs, model, arm), final_loss(runs, model, "muon"))
        details = {**told, **learning_details(runs, model, arm, "muon")}
        return below(estimate, MARGIN, details=details)

    return per_model(runs, judge)


AS_GOOD = "final held-out loss minus Muon's in nats, each at its best step size, paired over seeds"
NO_WORSE = f"95 % t interval over seeds below {MARGIN} nats on every model"


@STUDY.claim(
    "rows-as-good-as-muon",
    source=f"{SUPPORTED}, lightweight alternatives",
    statement="Normalising the rows of the momentum does as well as Muon.",
    statistic=f"rows of unit norm: {AS_GOOD}",
    criterion=NO_WORSE,
    needs=(CHEAP_UPDATES, DYNAMICS),
)
def rows_as_good(config: RankConfig, cheap: Results, main: Results) -> Judgement:
    """It keeps the rank."""
    return _as_good(joined(cheap, main), "rows")


@STUDY.claim(
    "columns-as-good-as-muon",
    source=f"{SUPPORTED}, lightweight alternatives",
    statement="Normalising the columns of the momentum does as well as Muon.",
    statistic=f"columns of unit norm: {AS_GOOD}",
    criterion=NO_WORSE,
    needs=(CHEAP_UPDATES, DYNAMICS),
)
def columns_as_good(config: RankConfig, cheap: Results, main: Results) -> Judgement:
    """It keeps the rank."""
    return _as_good(joined(cheap, main), "columns")


@STUDY.claim(
    "one-step-as-good-as-muon",
    source=f"{SUPPORTED}, lightweight alternatives",
    statement="One Newton-Schulz step does as well as Muon's five.",
    statistic=f"one quintic step: {AS_GOOD}",
    criterion=NO_WORSE,
    needs=(CHEAP_UPDATES, DYNAMICS),
)
def one_step_as_good(config: RankConfig, cheap: Results, main: Results) -> Judgement:
    """A fifth of the work."""
    return _as_good(joined(cheap, main), "one-step")


@STUDY.claim(
    "fisher-as-good-as-muon",
    source="References, “Natural gradient and Fisher information connections”",
    statement="A diagonal-Fisher step does as well as Muon.",
    statistic=f"gradient over its running mean square, damped: {AS_GOOD}",
    criterion=NO_WORSE,
    needs=(CHEAP_UPDATES, DYNAMICS),
)
def fisher_as_good(config: RankConfig, cheap: Results, main: Results) -> Judgement:
    """The natural gradient's diagonal, without Adam's root."""
    return _as_good(joined(cheap, main), "fisher")


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
