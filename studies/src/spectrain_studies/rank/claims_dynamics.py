"""Experiment 1: how effective rank moves through training, in gradient, momentum and update."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import spearmanr

from spectrain_studies.frame import Judgement, Results, above, below, within
from spectrain_studies.rank.config import RankConfig
from spectrain_studies.rank.learning import DYNAMICS
from spectrain_studies.rank.statistics import (
    change,
    mean_of,
    measured,
    paired,
    per_model,
    rank_course,
    result_of,
)
from spectrain_studies.rank.study import STUDY

STABLE = float(np.log(1.1))
"""A rank is stable if it moves by less than a tenth."""

COURSE = (
    "ln of late over early effective rank of the median hidden matrix (medians of last and first "
    "third of the samples, the first sample left out), mean over seeds"
)
ALL_BELOW_0 = "95 % t interval over seeds below 0 on every model"
WITHIN = "95 % interval within ±ln 1.1 on every model"
EXPERIMENT = "Experiment 1, hypothesis predictions"


@STUDY.claim(
    "adam-rank-falls",
    source=EXPERIMENT,
    statement="Under Adam, the effective rank of the raw gradient decreases over training.",
    statistic=f"raw gradient, AdamW: {COURSE}",
    criterion=ALL_BELOW_0,
    needs=(DYNAMICS,),
)
def adam_rank_falls(config: RankConfig, runs: Results) -> Judgement:
    """The raw gradient of AdamW's run."""

    def judge(model: str) -> Judgement:
        result = result_of(runs, model, "adamw")
        return below(mean_of(change(rank_course(result, "gradient"))), 0.0, details=_told(result))

    return per_model(runs, judge)


def _stable(runs: Results, source: str) -> Judgement:
    def judge(model: str) -> Judgement:
        result = result_of(runs, model, "muon")
        return within(mean_of(change(rank_course(result, source))), -STABLE, STABLE)

    return per_model(runs, judge)


@STUDY.claim(
    "muon-rank-stable",
    source=EXPERIMENT,
    statement="Under Muon, the effective rank (of the gradient, as the experiment measures it) "
    "remains stable.",
    statistic=f"raw gradient, Muon: {COURSE}",
    criterion=WITHIN,
    needs=(DYNAMICS,),
)
def muon_rank_stable(config: RankConfig, runs: Results) -> Judgement:
    """As printed: the experiment measures the gradient."""
    return _stable(runs, "gradient")


@STUDY.claim(
    "muon-momentum-rank-stable",
    source=EXPERIMENT,
    statement="Under Muon, the effective rank of the momentum remains stable.",
    statistic=f"momentum, Muon: {COURSE}",
    criterion=WITHIN,
    needs=(DYNAMICS,),
)
def muon_momentum_rank_stable(config: RankConfig, runs: Results) -> Judgement:
    """What is orthonormalized."""
    return _stable(runs, "momentum")


@STUDY.claim(
    "muon-update-rank-stable",
    source=EXPERIMENT,
    statement="Under Muon, the effective rank of the applied update remains stable, “since updates "
    "are always full-rank orthonormal”.",
    statistic=f"update, Muon: {COURSE}",
    criterion=WITHIN,
    needs=(DYNAMICS,),
)
def muon_update_rank_stable(config: RankConfig, runs: Results) -> Judgement:
    """What the reason given in the document speaks of."""
    return _stable(runs, "update")


@STUDY.claim(
    "muon-updates-keep-rank",
    source="Core hypothesis, observation 2",
    statement="Orthonormalized updates maintain a higher effective rank than raw gradients "
    "throughout training.",
    statistic="least ln of the update's over the gradient's effective rank over the samples of a "
    "Muon run (median hidden matrix), mean over seeds",
    criterion="95 % t interval over seeds above 0 on every model",
    needs=(DYNAMICS,),
)
def muon_updates_keep_rank(config: RankConfig, runs: Results) -> Judgement:
    """Throughout: the worst sample counts."""

    def judge(model: str) -> Judgement:
        result = result_of(runs, model, "muon")
        ratio = np.log(rank_course(result, "update") / rank_course(result, "gradient"))
        return above(mean_of(ratio.min(0)), 0.0, details=_told(result))

    return per_model(runs, judge)


@STUDY.claim(
    "late-stage-decline",
    source="Core hypothesis, observation 1",
    statement="Raw gradients become increasingly low-rank, “especially late-stage”.",
    statistic="slope of ln effective rank of the raw gradient in the last third of the run minus "
    "the slope in the third before, per run length, AdamW, mean over seeds; and the last slope",
    criterion="both below 0 by their 95 % intervals on every model",
    needs=(DYNAMICS,),
)
def late_stage_decline(config: RankConfig, runs: Results) -> Judgement:
    """A decline that is steeper at the end."""

    def judge(model: str) -> Judgement:
        course = np.log(rank_course(result_of(runs, model, "adamw"), "gradient"))
        third = len(course) // 3
        last, before = _slope(course[-third:]), _slope(course[-2 * third : -third])
        parts = (mean_of(last), mean_of(last - before))
        judged = [below(part, 0.0) for part in parts]
        worst = max(judged, key=lambda one: _order(str(one.verdict)))
        return Judgement(
            worst.verdict,
            worst.measured,
            worst.error,
            worst.low,
            worst.high,
            worst.seeds,
            details={"last slope": parts[0].value, "steeper by": parts[1].value},
        )

    return per_model(runs, judge)


@STUDY.claim(
    "collapse-precedes-stagnation",
    source="Core hypothesis, observation 3",
    statement="Gradient rank collapse goes with learning stagnation.",
    statistic="Spearman correlation, within a run, of the change of ln effective rank of the raw "
    "gradient (median hidden matrix) with the change of ln progress (fall of the training loss) "
    "over the next stretch between samples; mean over AdamW, Muon and SGD, then over seeds",
    criterion="95 % t interval over seeds above 0 on every model",
    needs=(DYNAMICS,),
)
def collapse_precedes_stagnation(config: RankConfig, runs: Results) -> Judgement:
    """Differences, since two courses that both fall correlate whatever their cause."""

    def judge(model: str) -> Judgement:
        per_arm = [_lagged(result_of(runs, model, arm)) for arm in ("adamw", "muon", "sgd")]
        names = ("adamw", "muon", "sgd")
        told = {name: float(np.mean(v)) for name, v in zip(names, per_arm, strict=True)}
        return above(mean_of(np.mean(per_arm, axis=0)), 0.0, details=told)

    return per_model(runs, judge)


@STUDY.claim(
    "adam-updates-below-muon-updates",
    source="Core hypothesis, observation 2",
    statement="Muon's applied updates have a higher effective rank than Adam's.",
    statistic="ln effective rank of the update, Muon minus AdamW, median hidden matrix, averaged "
    "over the samples; paired over seeds",
    criterion="95 % t interval over seeds above 0 on every model",
    needs=(DYNAMICS,),
)
def adam_updates_below_muon_updates(config: RankConfig, runs: Results) -> Judgement:
    """Adam's division raises ranks too, though less."""

    def judge(model: str) -> Judgement:
        muon, adam = (
            np.log(rank_course(result_of(runs, model, arm), "update")).mean(0)
            for arm in ("muon", "adamw")
        )
        estimate, told = paired(muon, adam)
        return above(estimate, 0.0, details=told)

    return per_model(runs, judge)


def _told(result: Any) -> dict[str, float]:
    """Where the course begins and ends, and what else is measured of the spectrum."""
    told: dict[str, float] = {}
    hidden = np.asarray(result["hidden"], dtype=bool)
    for source in ("gradient", "momentum", "update"):
        course = rank_course(result, source)
        told[f"{source}: share of full rank, second sample"] = float(course[1].mean())
        told[f"{source}: share of full rank, last sample"] = float(course[-1].mean())
        for measure in ("top1_mass", "top5_mass", "top10_mass"):
            late = measured(result, source, measure)[-1][hidden]
            told[f"{source}: {measure}, last sample"] = float(np.median(late))
    return told


def _slope(course: np.ndarray) -> np.ndarray:
    """Least-squares slope of every column per run of unit length."""
    time = np.linspace(0, 1, len(course))
    return np.polyfit(time, course, 1)[0]


def _lagged(result: Any) -> np.ndarray:
    """One correlation a seed."""
    steps = np.asarray(result["steps"])
    course = np.log(rank_course(result, "gradient"))
    train = np.asarray(result["train"], dtype=np.float64)
    level = np.stack([part.mean(0) for part in np.split(train, steps[1:])])
    progress = level[:-1] - level[1:]
    moved, pace = np.diff(course, axis=0)[:-1], np.diff(progress, axis=0)
    count = min(len(moved), len(pace))
    return np.array(
        [spearmanr(moved[:count, s], pace[-count:, s]).statistic for s in range(moved.shape[1])]
    )


def _order(verdict: str) -> int:
    return ("holds", "undecided", "fails").index(verdict)
