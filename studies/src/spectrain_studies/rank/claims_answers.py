"""The document's four questions, each answered by the data that separate the answers."""

from __future__ import annotations

import numpy as np

from spectrain_studies.frame import Judgement, Results, above, below
from spectrain_studies.rank.claims_interventions import ABOVE, BELOW, LOSS, flatness_trend
from spectrain_studies.rank.config import RankConfig
from spectrain_studies.rank.learning import DYNAMICS, MOMENTUM_UPDATES
from spectrain_studies.rank.statistics import (
    change,
    differs,
    final_loss,
    joined,
    learning_details,
    mean_of,
    paired,
    per_model,
    rank_course,
    result_of,
)
from spectrain_studies.rank.study import STUDY

CRITERIA = "Success criteria"
NEGLIGIBLE = float(np.log(1.02))
EQUAL_LOSS = 0.01
"""Nats: a difference that lies within is none."""


@STUDY.claim(
    "answer-1-rank-changes",
    source=f"{CRITERIA}, question 1",
    statement="The effective rank of the gradients changes during training (falls or rises).",
    statistic="ln late over early effective rank of the raw gradient, median hidden matrix, AdamW, "
    "mean over seeds; the same under Muon and SGD in the details",
    criterion="holds on a model if the 95 % interval excludes 0, fails if it lies within ±ln 1.02",
    needs=(DYNAMICS,),
)
def rank_changes(config: RankConfig, runs: Results) -> Judgement:
    """The sign says how."""

    def judge(model: str) -> Judgement:
        moved = {
            arm: change(rank_course(result_of(runs, model, arm), "gradient"))
            for arm in ("adamw", "muon", "sgd")
        }
        told = {arm: float(values.mean()) for arm, values in moved.items()}
        return differs(mean_of(moved["adamw"]), equal=NEGLIGIBLE, details=told)

    return per_model(runs, judge)


@STUDY.claim(
    "answer-2-adam-and-muon-differ",
    source=f"{CRITERIA}, question 2",
    statement="The rank dynamics of Adam and Muon differ.",
    statistic="ln late over early effective rank of the raw gradient, median hidden matrix, Muon "
    "minus AdamW, paired over seeds; momentum and update in the details",
    criterion="holds on a model if the 95 % interval excludes 0, fails if it lies within ±ln 1.02",
    needs=(DYNAMICS,),
)
def adam_and_muon_differ(config: RankConfig, runs: Results) -> Judgement:
    """The same quantity for both: the raw gradient."""

    def judge(model: str) -> Judgement:
        moved = {
            source: paired(
                *(change(rank_course(result_of(runs, model, a), source)) for a in ("muon", "adamw"))
            )
            for source in ("gradient", "momentum", "update")
        }
        estimate, told = moved["gradient"]
        told |= {f"{source}: difference": moved[source][0].value for source in moved}
        return differs(estimate, equal=NEGLIGIBLE, details=told)

    return per_model(runs, judge)


@STUDY.claim(
    "answer-3-rank-matters",
    source=f"{CRITERIA}, question 3",
    statement="Manipulating the rank of what reaches the weights affects learning.",
    statistic=f"momentum updates projected to a sixteenth of full rank minus full: {LOSS}",
    criterion=f"holds on a model if the 95 % interval excludes 0, fails if within ±{EQUAL_LOSS}",
    needs=(MOMENTUM_UPDATES, DYNAMICS),
)
def rank_matters(config: RankConfig, runs: Results, main: Results) -> Judgement:
    """Either sign would be an effect."""
    both = joined(runs, main)

    def judge(model: str) -> Judgement:
        estimate, told = paired(final_loss(both, model, "few"), final_loss(both, model, "sgd"))
        ten, _ = paired(final_loss(both, model, "top10"), final_loss(both, model, "sgd"))
        told["10 largest kept: difference"] = ten.value
        details = {**told, **learning_details(both, model, "few", "sgd")}
        return differs(estimate, equal=EQUAL_LOSS, details=details)

    return per_model(both, judge)


@STUDY.claim(
    "answer-4-direction",
    source=f"{CRITERIA}, question 4, direction preservation",
    statement="Direction preservation matters: the same spectrum in random directions hurts.",
    statistic=f"momentum updates in random directions minus plain: {LOSS}",
    criterion=ABOVE,
    needs=(MOMENTUM_UPDATES, DYNAMICS),
)
def direction(config: RankConfig, runs: Results, main: Results) -> Judgement:
    """Spectrum, rank and norms are those of the plain arm."""
    return _more_loss(joined(runs, main), "turned", "sgd")


@STUDY.claim(
    "answer-4-rank-inflation",
    source=f"{CRITERIA}, question 4, rank inflation",
    statement="Rank inflation helps by itself: full rank from noise of equal power lowers the "
    "loss.",
    statistic=f"momentum updates with noise added minus plain: {LOSS}",
    criterion=BELOW,
    needs=(MOMENTUM_UPDATES, DYNAMICS),
)
def rank_inflation(config: RankConfig, runs: Results, main: Results) -> Judgement:
    """Rank without information."""
    return _less_loss(joined(runs, main), "noisy", "sgd")


@STUDY.claim(
    "answer-4-equalization",
    source=f"{CRITERIA}, question 4, spectral equalization",
    statement="Spectral equalization helps: the flatter the spectrum at equal Frobenius norm, the "
    "lower the loss.",
    statistic="slope of the final held-out loss in p, for updates σᵖ with p = 1, 0.75, 0.5, 0.25, "
    "0 at equal Frobenius norm, each at its best step size; mean over seeds",
    criterion=ABOVE,
    needs=(MOMENTUM_UPDATES, DYNAMICS),
)
def equalization(config: RankConfig, runs: Results, main: Results) -> Judgement:
    """P = 1 is SGD with momentum, p = 0 has the directions of Muon at SGD's step length."""
    both = joined(runs, main)
    arms = [(1.0, "sgd"), (0.75, "flat-0.75"), (0.5, "flat-0.5"), (0.25, "flat-0.25")]
    arms.append((0.0, "equal-frobenius"))

    def judge(model: str) -> Judgement:
        told = {f"loss at p = {p}": float(final_loss(both, model, a).mean()) for p, a in arms}
        told["share of Muon's gain at p = 0"] = _share_of_gain(both, model, "equal-frobenius")
        return above(mean_of(flatness_trend(both, model, arms)), 0.0, details=told)

    return per_model(both, judge)


@STUDY.claim(
    "answer-4-equalization-without-rank",
    source=f"{CRITERIA}, question 4, equalization apart from rank",
    statement="Equalizing the largest quarter of the singular values and dropping the rest does "
    "better than plain momentum: equalization needs no high rank.",
    statistic=f"largest quarter of σ made 1, the rest 0, minus plain: {LOSS}",
    criterion=BELOW,
    needs=(MOMENTUM_UPDATES, DYNAMICS),
)
def equalization_without_rank(config: RankConfig, runs: Results, main: Results) -> Judgement:
    """Rank falls, the spectrum is flat."""
    return _less_loss(joined(runs, main), "equal-top", "sgd")


@STUDY.claim(
    "answer-4-small-directions",
    source=f"{CRITERIA}, question 4, rank apart from equalization",
    statement="The other three quarters of the directions matter once all are equal: full "
    "orthonormalization does better than that of the largest quarter.",
    statistic=f"exactly orthonormalized minus largest quarter made 1: {LOSS}",
    criterion=BELOW,
    needs=(MOMENTUM_UPDATES,),
)
def small_directions(config: RankConfig, runs: Results) -> Judgement:
    """Both are flat; they differ in rank alone."""
    return _less_loss(runs, "exact", "equal-top")


@STUDY.claim(
    "answer-4-scale-per-step",
    source=f"{CRITERIA}, question 4 (a fourth aspect: the step's length)",
    statement="A fixed step length matters: exact orthonormalization does better than the same "
    "directions and flat spectrum at the gradient's own Frobenius norm.",
    statistic=f"exactly orthonormalized minus equalized at equal Frobenius norm: {LOSS}",
    criterion=BELOW,
    needs=(MOMENTUM_UPDATES,),
)
def scale_per_step(config: RankConfig, runs: Results) -> Judgement:
    """They differ in the length of the step, by time and matrix."""
    return _less_loss(runs, "exact", "equal-frobenius")


@STUDY.claim(
    "answer-4-spectrum-of-the-moment",
    source=f"{CRITERIA}, question 4 (spectrum swapped)",
    statement="The spectrum of the moment matters: an earlier step's spectrum hurts.",
    statistic=f"momentum updates with an earlier step's spectrum minus plain: {LOSS}",
    criterion=f"holds on a model if the 95 % interval excludes 0, fails if within ±{EQUAL_LOSS}",
    needs=(MOMENTUM_UPDATES, DYNAMICS),
)
def spectrum_of_the_moment(config: RankConfig, runs: Results, main: Results) -> Judgement:
    """Directions and length are those of the plain arm."""
    both = joined(runs, main)

    def judge(model: str) -> Judgement:
        estimate, told = paired(final_loss(both, model, "swapped"), final_loss(both, model, "sgd"))
        return differs(estimate, equal=EQUAL_LOSS, details=told)

    return per_model(both, judge)


def _more_loss(runs: Results, arm: str, base: str) -> Judgement:
    def judge(model: str) -> Judgement:
        estimate, told = _compared(runs, model, arm, base)
        return above(estimate, 0.0, details=told)

    return per_model(runs, judge)


def _less_loss(runs: Results, arm: str, base: str) -> Judgement:
    def judge(model: str) -> Judgement:
        estimate, told = _compared(runs, model, arm, base)
        return below(estimate, 0.0, details=told)

    return per_model(runs, judge)


def _compared(runs: Results, model: str, arm: str, base: str):  # type: ignore[no-untyped-def]
    estimate, told = paired(final_loss(runs, model, arm), final_loss(runs, model, base))
    return estimate, {**told, **learning_details(runs, model, arm, base)}


def _share_of_gain(runs: Results, model: str, arm: str) -> float:
    """Of what Muon gains over SGD with momentum, the share that the arm gains."""
    sgd, muon, own = (final_loss(runs, model, a).mean() for a in ("sgd", "muon", arm))
    return float((sgd - own) / (sgd - muon)) if sgd != muon else float("nan")
