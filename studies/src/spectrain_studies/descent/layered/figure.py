"""Curvature against the number of samples, and attention against its size."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from spectrain_studies.descent.config import Config
from spectrain_studies.descent.drawing import INK, finish, panels
from spectrain_studies.descent.layered.attention import ATTENTION
from spectrain_studies.descent.layered.experiment import LOSSES, NETWORKS
from spectrain_studies.descent.statistics import by_size
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import Results


@STUDY.figure(
    "curvature-scaling",
    caption="C_F of (4.5) against the number of samples as printed and as repaired, beside the "
    "curvature per feature energy that is measured (tanh, depth 2), with slopes −½ and −1; and J_Φ "
    "of attention against its size.",
    needs=(NETWORKS, ATTENTION),
)
def curvature_scaling(config: Config, found: Results, attention: Results) -> Figure:
    figure, grid = panels(1, 3)
    sizes = np.array(config.theory.layered.samples)
    told = {"feature": "C_F as printed", "columnwise": "C_F repaired", "curvature": "measured"}
    for axes, loss in zip(grid, LOSSES, strict=False):
        chosen = found.where(activation="tanh", loss=loss, depth=2, scale=1.0)
        for color, (name, label) in zip(INK, told.items(), strict=False):
            rows = by_size(chosen, "samples", name).mean(1)
            axes.plot(sizes, rows, "o-", ms=3, color=color, label=label)
            power = -0.5 if name == "feature" else -1.0
            axes.plot(sizes, rows[-1] * (sizes / sizes[-1]) ** power, ":", color=color, lw=0.8)
        axes.set(xlabel="n", ylabel="curvature", title=loss)
        finish(axes, at=sizes, xscale="log", yscale="log")
    widths = config.theory.layered.sizes
    names = {"gaussian": "Gaussian weights", "torn": "two tied keys, all ‖W‖ = 1"}
    for color, (kind, label) in zip(INK, names.items(), strict=False):
        rows = by_size(attention.where(kind=kind), "size", "slope").mean(1)
        grid[2].plot(widths, rows, "o-", ms=3, color=color, label=label)
    grid[2].set(xlabel="d = n", ylabel="J_Φ of attention")
    finish(grid[2], at=widths, xscale="log", yscale="log")
    return figure
