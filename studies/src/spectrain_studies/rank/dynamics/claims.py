"""Experiment 1: how effective rank moves through training, in gradient, momentum and update."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from spectrain_studies.frame import (
    Above,
    AllOf,
    Always,
    Below,
    Found,
    Measured,
    OnEvery,
    Results,
    Within,
)
from spectrain_studies.frame.statistics import over_seeds, paired, violations
from spectrain_studies.rank.config import RankConfig
from spectrain_studies.rank.learning import DYNAMICS
from spectrain_studies.rank.statistics import (
    change,
    measured,
    on_models,
    rank_course,
    result_of,
)
from spectrain_studies.rank.study import STUDY

TENTH = float(np.log(1.1))
"""A rank is stable if it moves by less than a tenth."""

COURSE = (
    "ln of late over early effective rank of the median hidden matrix (medians of last and first "
    "third of the samples, the first sample left out), mean over seeds"
)
FALLS, RISES = OnEvery("model", Below(0)), OnEvery("model", Above(0))
STABLE = OnEvery("model", Within(-TENTH, TENTH))
EXPERIMENT = "Experiment 1, hypothesis predictions"


@STUDY.claim(
    "adam-rank-falls",
    source=EXPERIMENT,
    statement="Under Adam, the effective rank of the raw gradient decreases over training.",
    statistic=f"raw gradient, AdamW: {COURSE}",
    criterion=FALLS,
    needs=(DYNAMICS,),
)
def adam_rank_falls(config: RankConfig, runs: Results) -> Found:
    """The raw gradient of AdamW's run."""

    def on(model: str) -> Found:
        result = result_of(runs, model, "adamw")
        return Measured(over_seeds(change(rank_course(result, "gradient"))), details=_told(result))

    return on_models(runs, on)


def _stable(runs: Results, source: str) -> Found:
    def on(model: str) -> Found:
        result = result_of(runs, model, "muon")
        return over_seeds(change(rank_course(result, source)))

    return on_models(runs, on)


@STUDY.claim(
    "muon-rank-stable",
    source=EXPERIMENT,
    statement="Under Muon, the effective rank (of the gradient, as the experiment measures it) "
    "remains stable.",
    statistic=f"raw gradient, Muon: {COURSE}",
    criterion=STABLE,
    needs=(DYNAMICS,),
)
def muon_rank_stable(config: RankConfig, runs: Results) -> Found:
    """As printed: the experiment measures the gradient."""
    return _stable(runs, "gradient")


@STUDY.claim(
    "muon-momentum-rank-stable",
    source=EXPERIMENT,
    statement="Under Muon, the effective rank of the momentum remains stable.",
    statistic=f"momentum, Muon: {COURSE}",
    criterion=STABLE,
    needs=(DYNAMICS,),
)
def muon_momentum_rank_stable(config: RankConfig, runs: Results) -> Found:
    """What is orthonormalized."""
    return _stable(runs, "momentum")


@STUDY.claim(
    "muon-update-rank-stable",
    source=EXPERIMENT,
    statement="Under Muon, the effective rank of the applied update remains stable, “since updates "
    "are always full-rank orthonormal”.",
    statistic=f"update, Muon: {COURSE}",
    criterion=STABLE,
    needs=(DYNAMICS,),
)
def muon_update_rank_stable(config: RankConfig, runs: Results) -> Found:
    """What the reason given in the document speaks of."""
    return _stable(runs, "update")


@STUDY.claim(
    "muon-updates-keep-rank",
    source="Core hypothesis, observation 2",
    statement="Orthonormalized updates maintain a higher effective rank than raw gradients "
    "throughout training.",
    statistic="share of the samples of a Muon run in which the update's effective rank does not "
    "exceed the gradient's (median hidden matrix), over seeds",
    criterion=OnEvery("model", Always()),
    needs=(DYNAMICS,),
)
def muon_updates_keep_rank(config: RankConfig, runs: Results) -> Found:
    """Throughout: the worst sample counts."""

    def on(model: str) -> Found:
        result = result_of(runs, model, "muon")
        ratio = np.log(rank_course(result, "update") / rank_course(result, "gradient"))
        found = violations(ratio.T <= 0)
        return replace(found, details={**found.details, **_told(result)})

    return on_models(runs, on)


@STUDY.claim(
    "late-stage-decline",
    source="Core hypothesis, observation 1",
    statement="Raw gradients become increasingly low-rank, “especially late-stage”.",
    statistic="slope of ln effective rank of the raw gradient in the last third of the run minus "
    "the slope in the third before, per run length, AdamW, mean over seeds; and the last slope",
    criterion=OnEvery("model", AllOf({"last slope": Below(0), "minus that before": Below(0)})),
    needs=(DYNAMICS,),
)
def late_stage_decline(config: RankConfig, runs: Results) -> Found:
    """A decline that is steeper at the end."""

    def on(model: str) -> Found:
        course = np.log(rank_course(result_of(runs, model, "adamw"), "gradient"))
        third = len(course) // 3
        last, before = _slope(course[-third:]), _slope(course[-2 * third : -third])
        return {"last slope": over_seeds(last), "minus that before": over_seeds(last - before)}

    return on_models(runs, on)


@STUDY.claim(
    "collapse-precedes-stagnation",
    source="Core hypothesis, observation 3",
    statement="Gradient rank collapse goes with learning stagnation.",
    statistic="Spearman correlation, within a run, of the change of ln effective rank of the raw "
    "gradient (median hidden matrix) with the change of progress (fall of the training loss) "
    "over the next stretch between samples; mean over AdamW, Muon and SGD, then over seeds",
    criterion=RISES,
    needs=(DYNAMICS,),
)
def collapse_precedes_stagnation(config: RankConfig, runs: Results) -> Found:
    """Differences, since two courses that both fall correlate whatever their cause."""

    def on(model: str) -> Found:
        per_arm = [_lagged(result_of(runs, model, arm)) for arm in ("adamw", "muon", "sgd")]
        names = ("adamw", "muon", "sgd")
        told = {name: float(np.mean(v)) for name, v in zip(names, per_arm, strict=True)}
        return Measured(over_seeds(np.mean(per_arm, axis=0)), details=told)

    return on_models(runs, on)


@STUDY.claim(
    "adam-updates-below-muon-updates",
    source="Core hypothesis, observation 2",
    statement="Muon's applied updates have a higher effective rank than Adam's.",
    statistic="ln effective rank of the update, Muon minus AdamW, median hidden matrix, averaged "
    "over the samples; paired over seeds",
    criterion=RISES,
    needs=(DYNAMICS,),
)
def adam_updates_below_muon_updates(config: RankConfig, runs: Results) -> Found:
    """Adam's division raises ranks too, though less."""

    def on(model: str) -> Found:
        muon, adam = (
            np.log(rank_course(result_of(runs, model, arm), "update")).mean(0)
            for arm in ("muon", "adamw")
        )
        return paired(muon, adam)

    return on_models(runs, on)


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
