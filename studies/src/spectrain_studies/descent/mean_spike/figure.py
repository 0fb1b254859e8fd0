"""The spike of the mean, by activation and width."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from spectrain_studies.descent.activations import ACTIVATIONS, SIGNS
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.drawing import INK, finish, panels
from spectrain_studies.descent.mean_spike.experiment import GATED, SPIKED, UNGATED
from spectrain_studies.descent.statistics import by_size
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import Results


@STUDY.figure(
    "mean-spike",
    caption="Energy share of the mean feature, its cosine with the top singular vector, and the "
    "stable rank, by activation and width; dashed 1/NSR of Figure 12.",
    needs=(SPIKED,),
)
def mean_spike(config: Config, found: Results) -> Figure:
    figure, grid = panels(1, 3)
    widths = config.theory.spike.widths
    names = {"share": "energy share of the mean", "cosine": "cosine", "rank": "stable rank"}
    for color, activation in zip(INK, (*UNGATED, GATED), strict=False):
        for axes, name in zip(grid, names, strict=True):
            rows = by_size(found.where(activation=activation), "width", name).mean(1)
            label = SIGNS.get(activation, "SwiGLU")
            axes.plot(widths, rows, "o-", ms=3, color=color, label=label)
        if activation in ACTIVATIONS:
            level = 1 / ACTIVATIONS[activation].noise_to_signal(np.array([1.0]))
            grid[0].axhline(level, color=color, ls="--", lw=0.8)
    for axes, (name, label) in zip(grid, names.items(), strict=True):
        scale = "linear" if name == "cosine" else "log"
        finish(axes, at=widths, xscale="log", yscale=scale, xlabel="width k", ylabel=label)
    grid[1].set_ylim(0, 1.05)
    return figure
