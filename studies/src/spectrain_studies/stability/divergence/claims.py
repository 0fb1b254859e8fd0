"""Whether divergences are announced, by what, and how often there is an alarm without one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from spectrain_studies.frame import Above, Below, Found, Measured, Result, Results
from spectrain_studies.frame.statistics import over_seeds, share
from spectrain_studies.stability.config import Config
from spectrain_studies.stability.divergence.alarms import (
    LEVEL,
    START,
    Rule,
    alarm,
    diverged,
    healthy,
    lead,
    shown,
    threshold,
)
from spectrain_studies.stability.divergence.experiment import DIVERGENCE, SCORES
from spectrain_studies.stability.divergence.third import transferring
from spectrain_studies.stability.study import STUDY

ANSWER = Rule({"answer": 0.5})
"""The answer speaks or does not; nothing is to be chosen."""

TOGETHER = ("step", "middle")
"""Scores of which any gives the alarm: those that announced more than two thirds of the divergences
of development, where no other announced more than two fifths."""

SECOND = ("middle risen",)
"""The second design: what is usual differs from set-up to set-up, so that it is taken away."""

SOURCE = "this project, the study of stability"
HEALTHY = "healthy runs of the set-ups of the test"
DIVERGED = "runs of the set-ups of the test at whose end the loss shows a divergence"
CHOSEN = (
    f"thresholds that {LEVEL:.0%} of the healthy runs of the other set-ups pass, after the first "
    "tenth of a run"
)


def chosen(runs: Results, scores: Sequence[str]) -> Rule:
    """Thresholds out of the healthy runs of development, at the level divided among the scores."""
    known = healthy(runs, test=False)
    return Rule({score: threshold(known, score, LEVEL / len(scores)) for score in scores})


def rule_of(config: Config, runs: Results, which: str) -> Rule:
    """The rule of a design by its name, its thresholds chosen on development."""
    if which == "third":
        return transferring(runs, lead=_least(config))[0]
    designs = {"together": TOGETHER, "second": SECOND}
    return chosen(runs, designs[which]) if which in designs else ANSWER


def _least(config: Config) -> float:
    return config.divergence.lead * config.divergence.steps


def _false_alarms(config: Config, runs: Results, which: str) -> Found:
    judged, told_of = healthy(runs, test=True), dict[str, Any]()
    if which == "third":
        rule, false, announced = transferring(runs, lead=_least(config))
        told_of = {
            "rule": [*rule.thresholds],
            "thresholds": [x if np.isfinite(x) else None for x in rule.thresholds.values()],
            "samples in a row": rule.lasting,
            "false alarms in set-ups of development that were left out": false,
            "announced there": announced,
        }
    else:
        rule = rule_of(config, runs, which)
    told = np.array([alarm(each, rule) is not None for each in judged], dtype=bool)
    return Measured(share(told), details={"by set-up": _by_setup(judged, told), **told_of})


def _by_setup(judged: Sequence[Result], told: np.ndarray) -> dict[str, float]:
    of = np.array([each.case.setup for each in judged])
    return {str(setup): float(told[of == setup].mean()) for setup in np.unique(of)}


def _announced(config: Config, judged: Sequence[Result], rule: Rule) -> np.ndarray:
    return np.array([lead(each, rule) >= _least(config) for each in judged], dtype=bool)


def _announces(config: Config, runs: Results, which: str, *, late: bool) -> Found:
    judged = [each for each in diverged(runs, test=True) if not late or _is_late(each)]
    told = _announced(config, judged, rule_of(config, runs, which))
    return Measured(share(told), details={"by set-up": _by_setup(judged, told)})


def _is_late(result: Result) -> bool:
    """Whether the loss shows the divergence after the first fifth of the run only."""
    step = shown(result["losses"]).step
    return step is not None and step >= result.case.steps / 5


WHO = {
    "answer": ("the answer on stability", "a verdict of growing or alarm"),
    "together": (
        "‖ΔW x‖/‖W x‖, of the worst and of the median block,",
        f"either above its threshold; {CHOSEN}",
    ),
    "second": (
        "‖ΔW x‖/‖W x‖ of the median block, against its own past,",
        f"its logarithm above the median so far by more than a threshold; {CHOSEN}",
    ),
    "third": (
        "the rule that transfers best among set-ups of development",
        "one of all scores, or two at once, as it is or against its own past or early course, over "
        "1 or 3 samples in a row; the one that announced most in set-ups of development that were "
        "left out of its thresholds, with at most 5 % false alarms there",
    ),
}


def _state(which: str) -> None:
    who, what = WHO[which]

    @STUDY.claim(
        f"{which}-false-alarms",
        source=SOURCE,
        statement=f"{who[0].upper()}{who[1:]} gives a false alarm in at most 5 % of healthy runs",
        statistic=f"share of {HEALTHY} with an alarm at any step: {what}",
        criterion=Below(0.05),
        needs=[DIVERGENCE],
    )
    def false_alarms(config: Config, runs: Results) -> Found:
        return _false_alarms(config, runs, which)

    for late, name, among in (
        (False, "announces", DIVERGED),
        (True, "announces-late", f"{DIVERGED}, first after a fifth of the run"),
    ):

        @STUDY.claim(
            f"{which}-{name}",
            source=SOURCE,
            statement=f"{who[0].upper()}{who[1:]} announces at least 80 % of divergences, 5 % of "
            "the run before the loss shows them",
            statistic=f"share of {among} that are announced so early: {what}",
            criterion=Above(0.8),
            needs=[DIVERGENCE],
            reading="those that leave room for an announcement" if late else "all divergences",
        )
        def announces(config: Config, runs: Results, late: bool = late) -> Found:
            return _announces(config, runs, which, late=late)


for _which in WHO:
    _state(_which)


@STUDY.claim(
    "leaves-room",
    source=SOURCE,
    statement="Most divergences leave room for an announcement",
    statistic=f"share of {DIVERGED} that it shows at {START:.0%} of the run, where an alarm may be "
    "given first, plus the 5 % by which it is to come before, or later",
    criterion=Above(0.5),
    needs=[DIVERGENCE],
)
def leaves_room(config: Config, runs: Results) -> Found:
    """By what was done to the run, and when the loss shows it there, as a share of the run."""
    judged = diverged(runs, test=True)
    first = START + config.divergence.lead
    at = np.array([(shown(x["losses"]).step or 0) / x.case.steps for x in judged])
    of = np.array([x.case.drive.name for x in judged])
    details = {
        str(name): [float((at[of == name] >= first).mean()), float(np.median(at[of == name]))]
        for name in np.unique(of)
    }
    return Measured(share(at >= first), details={"share and median step": details})


@STUDY.claim(
    "lead-time",
    source=SOURCE,
    statement="A divergence is announced at least 5 % of the run before the loss shows it, in the "
    "mean of those that are announced at all",
    statistic="steps over the length of the run from the alarm of the second design to where the "
    f"loss shows it, mean over the announced among {DIVERGED}; {CHOSEN}",
    criterion=Above(0.05),
    needs=[DIVERGENCE],
)
def lead_time(config: Config, runs: Results) -> Found:
    """The mean lead, and the quartiles beside it."""
    rule = rule_of(config, runs, "second")
    leads = np.array([lead(x, rule) for x in diverged(runs, test=True)])
    shares = leads[np.isfinite(leads)] / config.divergence.steps
    quartiles = np.quantile(shares, [0.25, 0.5, 0.75]).tolist() if len(shares) else []
    return Measured(over_seeds(shares), details={"quartiles": quartiles, "of": len(leads)})


def _alone(score: str, config: Config, runs: Results) -> Found:
    """How many more divergences a score announces than the loss by its own past."""
    judged, quiet = diverged(runs, test=True), healthy(runs, test=True)
    rule = chosen(runs, [score])
    own, loss = (_announced(config, judged, one) for one in (rule, chosen(runs, ["loss"])))
    limit = rule.thresholds[score]
    details: dict[str, Any] = {
        "announced": float(own.mean()),
        "by the loss": float(loss.mean()),
        "threshold": limit if np.isfinite(limit) else None,
        "false alarms": float(np.mean([alarm(x, rule) is not None for x in quiet])),
        "announced by thresholds of the set-up's own healthy runs": _at_home(config, runs, score),
    }
    return Measured(over_seeds(own.astype(float) - loss), details=details)


def _at_home(config: Config, runs: Results, score: str) -> float:
    """Share announced where the threshold is the highest value of the set-up's own healthy runs."""
    told: list[bool] = []
    for setup in {each.case.setup for each in runs if each.case.test}:
        mine = [each for each in runs if each.case.setup == setup]
        rule = Rule({score: threshold(healthy(mine, test=True), score, 0.0)})
        told += _announced(config, diverged(mine, test=True), rule).tolist()
    return float(np.mean(told))


NAMES = {
    "gain": "the largest singular value over its limit",
    "range": "the largest input over the range of its precision",
    "input": "the norm of an input over its past",
    "stream": "the root mean square of the residual stream over its past",
    "kurtosis": "the kurtosis of the channels",
    "seen": "the largest logits that were seen over their limit",
    "gradient": "the norm of a gradient over its past",
    "turning": "the turning of a gradient against those before",
    "step": "‖ΔW x‖/‖W x‖ of the worst block",
    "middle": "‖ΔW x‖/‖W x‖ of the median block",
    "apart": "‖ΔW x‖/‖W x‖ of the worst block over that of the median block",
    "step per rate": "‖ΔW x‖/‖W x‖ of the worst block over the learning rate",
    "middle per rate": "‖ΔW x‖/‖W x‖ of the median block over the learning rate",
    "spread": "the unsteadiness of the loss by its own past",
}
assert {*NAMES, "loss"} == set(SCORES)

for _score, _name in NAMES.items():
    STUDY.claim(
        f"{_score.replace(' ', '-')}-alone",
        source=SOURCE,
        statement=f"{_name[0].upper()}{_name[1:]} alone announces more divergences than the loss "
        "by its own past",
        statistic=f"difference of the shares of {DIVERGED} that are announced 5 % of the run "
        f"before; {CHOSEN}",
        criterion=Above(0),
        needs=[DIVERGENCE],
    )(partial(_alone, _score))
