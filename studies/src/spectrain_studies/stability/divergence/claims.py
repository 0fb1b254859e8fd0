"""Whether divergences are announced, by what, and how often there is an alarm without one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from spectrain_studies.frame import Above, Below, Found, Measured, Result, Results
from spectrain_studies.frame.statistics import over_seeds, share
from spectrain_studies.stability.config import Config
from spectrain_studies.stability.divergence.alarms import (
    LEVEL,
    alarm,
    diverged,
    healthy,
    lead,
    shown,
    threshold,
)
from spectrain_studies.stability.divergence.experiment import DIVERGENCE, SCORES
from spectrain_studies.stability.study import STUDY

Thresholds = Mapping[str, float]

ANSWER: Thresholds = {"answer": 0.5}
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


def chosen(runs: Results, scores: Sequence[str]) -> Thresholds:
    """Thresholds out of the healthy runs of development, at the level divided among the scores."""
    known = healthy(runs, test=False)
    return {score: threshold(known, score, LEVEL / len(scores)) for score in scores}


def _false_alarms(runs: Results, thresholds: Thresholds) -> Found:
    judged = healthy(runs, test=True)
    return Measured(
        share([alarm(each, thresholds) is not None for each in judged]),
        details={"set-ups": sorted({each.case.setup for each in judged})},
    )


def _announced(config: Config, judged: Sequence[Result], thresholds: Thresholds) -> np.ndarray:
    least = config.divergence.lead * config.divergence.steps
    return np.array([lead(each, thresholds) >= least for each in judged], dtype=bool)


def _announces(config: Config, runs: Results, thresholds: Thresholds, *, late: bool) -> Found:
    judged = [each for each in diverged(runs, test=True) if not late or _is_late(each)]
    told = _announced(config, judged, thresholds)
    by_setup = {
        setup: float(
            np.mean(
                [flag for flag, each in zip(told, judged, strict=True) if each.case.setup == setup]
            )
        )
        for setup in sorted({each.case.setup for each in judged})
    }
    return Measured(share(told), details={"by set-up": by_setup})


def _is_late(result: Result) -> bool:
    """Whether the loss shows the divergence after the first fifth of the run only."""
    step = shown(result["losses"]).step
    return step is not None and step >= result.case.steps / 5


def _thresholds(runs: Results, which: str) -> Thresholds:
    designs = {"together": TOGETHER, "second": SECOND}
    return chosen(runs, designs[which]) if which in designs else ANSWER


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
        return _false_alarms(runs, _thresholds(runs, which))

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
            return _announces(config, runs, _thresholds(runs, which), late=late)


for _which in WHO:
    _state(_which)


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
    leads = np.array([lead(x, chosen(runs, SECOND)) for x in diverged(runs, test=True)])
    shares = leads[np.isfinite(leads)] / config.divergence.steps
    quartiles = np.quantile(shares, [0.25, 0.5, 0.75]).tolist() if len(shares) else []
    return Measured(over_seeds(shares), details={"quartiles": quartiles, "of": len(leads)})


def _alone(score: str, config: Config, runs: Results) -> Found:
    """How many more divergences a score announces than the loss by its own past."""
    judged = diverged(runs, test=True)
    own, loss = (_announced(config, judged, chosen(runs, [name])) for name in (score, "loss"))
    details: dict[str, Any] = {
        "announced": float(own.mean()),
        "by the loss": float(loss.mean()),
        "threshold": limit if np.isfinite(limit := chosen(runs, [score])[score]) else None,
        "false alarms": float(
            np.mean([alarm(x, chosen(runs, [score])) is not None for x in healthy(runs, test=True)])
        ),
    }
    return Measured(over_seeds(own.astype(float) - loss), details=details)


NAMES = {
    "logits": "the bound of the logits over its limit",
    "gain": "the largest singular value over its limit",
    "range": "the largest input over the range of its precision",
    "input": "the norm of an input over its past",
    "stream": "the root mean square of the residual stream over its past",
    "kurtosis": "the kurtosis of the channels",
    "gradient": "the norm of a gradient over its past",
    "step": "‖ΔW x‖/‖W x‖ of the worst block",
    "middle": "‖ΔW x‖/‖W x‖ of the median block",
}
assert {*NAMES, "loss"} == set(SCORES)

for _score, _name in NAMES.items():
    STUDY.claim(
        f"{_score}-alone",
        source=SOURCE,
        statement=f"{_name[0].upper()}{_name[1:]} alone announces more divergences than the loss "
        "by its own past",
        statistic=f"difference of the shares of {DIVERGED} that are announced 5 % of the run "
        f"before; {CHOSEN}",
        criterion=Above(0),
        needs=[DIVERGENCE],
    )(partial(_alone, _score))
