"""Whether the answer names the layer whose scaling with width was left out or applied twice."""

from __future__ import annotations

from typing import Any

import numpy as np

from spectrain_studies.frame import Above, Below, Found, Measured, Results, planted
from spectrain_studies.frame.experiment import Result
from spectrain_studies.frame.statistics import share
from spectrain_studies.stability.config import Config
from spectrain_studies.stability.study import STUDY
from spectrain_studies.stability.transfer.experiment import TRANSFER, TransferCase

SOURCE = "this project, the study of stability"
SETTING = (
    "networks whose rates, right at a small width, are divided by the ratio of widths where the "
    "fan-in grows with it"
)


def names(result: Result) -> bool:
    """Whether the wrong layer, and no other, is called fast or slow as it is."""
    fast, slow = np.asarray(result["fast"]).tolist(), np.asarray(result["slow"]).tolist()
    wrong = [str(result["wrong"])]
    return bool((fast, slow) == ((wrong, []) if result.case.power > 0 else ([], wrong)))


def _broken(runs: Results) -> list[Result]:
    return [each for each in runs if each.case.power]


def _world(named: bool, *, alarms: bool) -> Any:
    def outcome(case: TransferCase, generator: Any) -> dict[str, Any]:
        fast = case.power > 0 and named
        slow = case.power < 0 and named
        return {
            "wrong": "a",
            "fast": ["a"] if fast or (alarms and not case.power) else [],
            "slow": ["a"] if slow else [],
        }

    return outcome


@STUDY.claim(
    "names-the-layer-of-the-wrong-pace",
    source=SOURCE,
    statement="The layer whose rate was not scaled with the width, or scaled twice, is named",
    statistic=f"share of {SETTING}, but for one layer (sixteenfold too fast or too slow), in which "
    "that layer alone is called fast, or slow",
    criterion=Above(0.9),
    needs=[TRANSFER],
    planted=planted(TRANSFER, _world(True, alarms=False), _world(False, alarms=False)),
)
def names_the_layer(config: Config, runs: Results) -> Found:
    """By architecture and by the way in which it is wrong, too."""
    broken = _broken(runs)
    told = {
        f"{model}, {'left out' if power > 0 else 'applied twice'}": float(
            np.mean([names(x) for x in broken if (x.case.model, x.case.power) == (model, power)])
        )
        for model, power in sorted({(x.case.model, x.case.power) for x in broken})
    }
    return Measured(share([names(each) for each in broken]), details=told)


@STUDY.claim(
    "names-no-layer-of-the-right-pace",
    source=SOURCE,
    statement="Where every layer is scaled as it should be, none is called fast or slow",
    statistic=f"share of {SETTING}, in which any layer is called fast or slow",
    criterion=Below(0.05),
    needs=[TRANSFER],
)
def names_none(config: Config, runs: Results) -> Found:
    """False alarms of the coordinate check."""
    right = [each for each in runs if not each.case.power]
    return Measured(share([len(x["fast"]) + len(x["slow"]) > 0 for x in right]))
