"""Figures 3 and 11."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from spectrain_studies.descent.config import Config
from spectrain_studies.descent.drawing import (
    EUCLIDEAN,
    MUON,
    RANK,
    RESTART,
    SPECTRAL,
    finish,
    panels,
)
from spectrain_studies.descent.random_features.experiment import GATED, RELU
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import Result, Results


def _course(result: Result) -> Figure:
    figure, (losses, ranks) = panels(1, 2)
    steps = np.arange(len(result["gd_loss"]))
    for index, course in enumerate(result["restart_loss"]):
        label = "SpecGD from iterates of GD" if index == 0 else None
        losses.plot(steps, course, color=RESTART, lw=0.7, label=label)
    for start, course in zip(result["muon_steps"], result["muon_loss"], strict=True):
        label = None if start else "Muon from iterates of GD"
        losses.plot(start + np.arange(len(course)), course, color=MUON, lw=1.2, label=label)
    for name, label, color in (("gd", "GD", EUCLIDEAN), ("specgd", "SpecGD", SPECTRAL)):
        losses.plot(steps, result[f"{name}_loss"], color=color, label=label)
        ranks.plot(steps, result[f"{name}_nuclear_rank"], color=color, lw=0.8, label=label)
    ranks.axhline(result["stable_rank"], color=RANK, ls="--", label="st(A)")
    finish(losses, xlabel="step", ylabel="loss", yscale="log")
    finish(ranks, xlabel="step", ylabel="nuclear rank of the gradient", ylim=(0, None))
    return figure


@STUDY.figure(
    "fig3",
    caption="Regression on ReLU random features (seed 0): loss of gradient descent, of SpecGD, and "
    "of SpecGD and Muon started from iterates of gradient descent; nuclear rank of the gradient "
    "beside the stable rank of the features.",
    needs=[RELU],
)
def fig3(config: Config, relu: Results) -> Figure:
    return _course(relu.where(seed=0).only())


@STUDY.figure(
    "fig11", caption="The same on SwiGLU features, whose stable rank is high.", needs=[GATED]
)
def fig11(config: Config, gated: Results) -> Figure:
    return _course(gated.where(seed=0).only())
