"""Figures 14 and 15."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from spectrain_studies.descent.config import Config
from spectrain_studies.descent.drawing import INK, finish, panels
from spectrain_studies.descent.nuclear_ranks.claims import NAMES, rank_at
from spectrain_studies.descent.nuclear_ranks.experiment import RANKS
from spectrain_studies.descent.statistics import by_size, sizes_of
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import Results


@STUDY.figure(
    "fig14",
    caption="Nuclear rank of the gradient over k against the step of gradient descent, for several "
    "widths k, mean over seeds: realizable (left) and teacher–student model (right).",
    needs=[RANKS],
)
def fig14(config: Config, ranks: Results) -> Figure:
    figure, grid = panels(1, 2)
    shades = np.linspace(0.3, 1.0, len(config.dynamics.ranks.widths))
    for axes, color, (model, name) in zip(grid, INK, NAMES.items(), strict=False):
        for shade, width in zip(shades, sizes_of(ranks, "width"), strict=True):
            chosen = ranks.where(model=model, width=width)
            course = chosen.stack("nuclear_ranks").mean(0) / width
            steps = np.array(chosen[0].case.steps)
            axes.plot(steps + 1, course, color=color, alpha=shade, label=f"k = {width}")
        finish(axes, xlabel="step + 1", ylabel="nuclear rank / k", xscale="log", title=name)
        axes.set_ylim(0, None)
    return figure


@STUDY.figure(
    "fig15",
    caption="Nuclear rank of the gradient at the start (dotted) and after one step against the "
    "width, in both models.",
    needs=[RANKS],
)
def fig15(config: Config, ranks: Results) -> Figure:
    figure, (axes,) = panels(1, 1)
    for color, (model, name) in zip(INK, NAMES.items(), strict=False):
        for step, style in ((0, ":"), (1, "-")):
            course = by_size(ranks.where(model=model), "width", rank_at(step)).mean(1)
            widths, label = sizes_of(ranks, "width"), name if step else None
            axes.plot(widths, course, color=color, ls=style, marker="o", label=label)
    finish(axes, xlabel="k", ylabel="nuclear rank")
    return figure
