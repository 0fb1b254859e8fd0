"""Claims on teacher and student."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spectrain.noise.estimate import Estimate
from spectrain.rmt import WignerSurmise
from spectrain_studies.frame import Below, Measured, Near, Result, Results, planted
from spectrain_studies.frame.planted import World
from spectrain_studies.frame.statistics import (
    distance,
    over_seeds,
    proportionality,
    weighted_log_slope,
)
from spectrain_studies.randomness.config import Config
from spectrain_studies.randomness.statistics import PERMILLE
from spectrain_studies.randomness.study import STUDY
from spectrain_studies.randomness.teacher.experiment import LINEAR, LinearCase

MODEL = "slide “Applications and implications” (teacher-student model)"
RUNS = 2000
SLOW = 0.1
"""α up to which √(α/|B|) is taken to be meant: theory has α/(1 − α/2), whose root is 2.6 % larger
there, and 15 % at the document's largest, 0.5."""


def _gaps(result: Result) -> np.ndarray:
    return np.asarray(result["values"][:, 1] - result["values"][:, 0])


def _drive(case: LinearCase) -> float:
    """(α/|B|)A, A = ε²."""
    return float(case.rate / case.batch * case.noise**2)


def _root(case: LinearCase) -> float:
    return float((_drive(case) / (1 - case.rate / 2)) ** 0.5)


def _world(level: Callable[[LinearCase], float], loss: float = 1.0, *, repel: bool = True) -> World:
    """Spacings of that mean by the surmise, or exponential ones; a loss ∝ drive^loss."""

    def world(case: LinearCase, generator: object) -> dict[str, np.ndarray]:
        uniform = (np.arange(RUNS) + 0.5) / RUNS  # quantiles of the law
        shape = -np.log(1 - uniform)
        gaps = level(case) * (np.sqrt(4 / np.pi * shape) if repel else shape)
        luck = 1 + 0.01 * np.cos(np.arange(RUNS))
        values = np.stack([np.zeros(RUNS), gaps], 1)
        return {"values": values, "loss": _drive(case) ** loss * luck}

    return world


@STUDY.claim(
    "teacher-student-law",
    source=MODEL,
    statement="⟨S⟩ ∝ √((α/|B|)A), A = ε²",
    statistic=f"exponent of ⟨S⟩ against (α/|B|)A over all points with α ≤ {SLOW}",
    criterion=Near(0.5, 0.03),
    needs=(LINEAR,),
    planted=planted(LINEAR, _world(lambda c: _drive(c) ** 0.5), _world(lambda c: _drive(c) ** 0.9)),
)
def law(config: Config, linear: Results) -> Measured:
    """Beyond, a finite rate widens the law, which no number of runs takes away."""

    def exponent(chosen: list[Result]) -> Estimate:
        drives = [_drive(result.case) for result in chosen]
        return weighted_log_slope(drives, [over_seeds(_gaps(result)) for result in chosen])

    slow = exponent([result for result in linear if result.case.rate <= SLOW])
    told = {"at all rates": exponent([*linear]).value}
    return Measured(slow, seeds=linear[0].case.runs, details=told)


@STUDY.claim(
    "teacher-student-coefficient",
    source="theory of the teacher-student model",
    statement="⟨S⟩ = √π √((α/|B|)A/(1 − α/2))",
    statistic="coefficient of ⟨S⟩ on √((α/|B|)A/(1 − α/2)), all points, over √π",
    criterion=Near(1.0, 0.02),
    needs=(LINEAR,),
    planted=planted(
        LINEAR, _world(lambda c: np.pi**0.5 * _root(c)), _world(lambda c: 2.2 * _root(c))
    ),
)
def coefficient(config: Config, linear: Results) -> Measured:
    xs = [_root(result.case) for result in linear]
    found = proportionality(xs, [over_seeds(_gaps(result)) for result in linear])
    return Measured(found.scaled(np.pi**-0.5), seeds=linear[0].case.runs)


@STUDY.claim(
    "teacher-student-surmise",
    source=MODEL,
    statement="Its spacings follow the surmise",
    statistic="√n times the Kolmogorov distance of S/⟨S⟩ from the surmise, largest over points",
    criterion=Below(PERMILLE),
    needs=(LINEAR,),
    planted=planted(LINEAR, _world(_root), _world(_root, repel=False)),
)
def surmise(config: Config, linear: Results) -> Measured:
    def scaled(result: Result) -> float:
        gaps = _gaps(result)
        return len(gaps) ** 0.5 * distance(gaps / gaps.mean(), WignerSurmise().distribution)

    return Measured(max(scaled(result) for result in linear), seeds=linear[0].case.runs)


@STUDY.claim(
    "teacher-student-loss",
    source="slide “Summary” (“fundamental limitation of learning for finite learning rate”)",
    statement="The validation loss at rest goes as α/|B|",
    statistic="exponent of ½‖W − W_t‖² against (α/|B|)A over all points",
    criterion=Near(1.0, 0.1),
    needs=(LINEAR,),
    planted=planted(LINEAR, _world(_root), _world(_root, loss=0.5)),
)
def loss(config: Config, linear: Results) -> Measured:
    losses: list[Estimate] = [over_seeds(result["loss"]) for result in linear]
    found = weighted_log_slope([_drive(result.case) for result in linear], losses)
    return Measured(found, seeds=linear[0].case.runs)
