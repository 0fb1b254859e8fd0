"""A study of nothing, for the tests of the frame: its cases can fail and kill their process."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from spectrain.noise.estimate import mean_estimate
from spectrain_studies.frame import Experiment, Judgement, Outcome, Results, Study, above, below


@dataclass(frozen=True)
class Case:
    """Mean of ``size`` normal numbers; ``kill``: a file whose absence kills, or always."""

    seed: int
    size: int = 10
    kill: str = ""
    fail: bool = False


@dataclass(frozen=True)
class Sizes:
    size: int = 10


@dataclass(frozen=True)
class Config:
    seeds: int = 4
    rate: float = 1.0
    sizes: Sizes = field(default_factory=Sizes)


def run_case(case: Case) -> Outcome:
    if case.fail:
        raise ValueError(f"seed {case.seed} cannot be")
    if case.kill == "always":
        os.kill(os.getpid(), signal.SIGKILL)
    if case.kill and not Path(case.kill).exists():
        Path(case.kill).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    draws = np.random.default_rng(case.seed).normal(1.0, 0.1, case.size)
    return {"mean": draws.mean(), "draws": draws, "name": "normal", "count": case.size}


MEANS: Experiment[Config] = Experiment(
    "means",
    run_case,
    lambda config: [Case(seed, config.sizes.size) for seed in range(config.seeds)],
)
BROKEN: Experiment[Config] = Experiment("broken", run_case, lambda config: [Case(0, fail=True)])


def toy_study(*, broken: bool = False) -> Study[Config]:
    study: Study[Config] = Study(
        "toy",
        title="Is one above zero?",
        document="Nobody, Nothing",
        scales={"quick": Config(), "paper": Config(seeds=8)},
        thinned={"paper": ["fewer seeds"]},
    )

    @study.claim(
        "above-zero",
        source="§1",
        statement="The mean lies above 0",
        statistic="mean",
        criterion="90 % interval above 0",
        needs=[MEANS],
    )
    def above_zero(config: Config, means: Results) -> Judgement:
        import torch

        return above(mean_estimate(torch.as_tensor(means.stack("mean"))), 0.0)

    @study.claim(
        "below-zero",
        source="§2",
        statement="The mean lies below 0",
        statistic="mean",
        criterion="below 0",
        needs=[MEANS],
    )
    def below_zero(config: Config, means: Results) -> Judgement:
        return below(float(means.stack("mean").mean()), 0.0, seeds=len(means))

    if broken:

        @study.claim(
            "broken", source="§3", statement="?", statistic="?", criterion="?", needs=[BROKEN]
        )
        def never(config: Config, broken: Results) -> Judgement:
            return above(1.0, 0.0)

        @study.claim(
            "misjudged", source="§4", statement="?", statistic="?", criterion="?", needs=[MEANS]
        )
        def misjudged(config: Config, means: Results) -> Judgement:
            return above(float(means.only()["mean"]), 0.0)

        @study.figure("undrawn", caption="?", needs=[MEANS])
        def undrawn(config: Config, means: Results) -> Figure:
            raise ValueError("no ink")

    @study.figure("means", caption="The means", needs=[MEANS])
    def draw(config: Config, means: Results) -> Figure:
        figure = Figure(figsize=(3, 2))
        figure.subplots().plot(means.stack("mean"))
        return figure

    return study


STUDY = toy_study()
