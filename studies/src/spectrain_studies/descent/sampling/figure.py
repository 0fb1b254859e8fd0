"""Deviations of samples, Lemma 2.1 and Theorem 2.3."""

from __future__ import annotations

from matplotlib.figure import Figure

from spectrain_studies.descent.config import Config
from spectrain_studies.descent.drawing import INK, finish, panels
from spectrain_studies.descent.sampling.experiment import DEVIATIONS, PATHS, Law
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import Results


@STUDY.figure(
    "sample-deviations",
    caption="Theorem 2.3: 0.9-quantile of |st(Z_n)/er(M) − 1| by dimension, Gaussian vectors and "
    "ReLU features. Lemma 2.1: the same along single growing samples.",
    needs=(DEVIATIONS, PATHS),
)
def sample_deviations(config: Config, found: Results, paths: Results) -> Figure:
    figure, grid = panels(1, 3)
    for axes, kind, name in zip(grid, ("gaussian", "relu"), ("N(0, I)", "ReLU"), strict=False):
        for color, d in zip(INK, config.theory.sampling.dimensions, strict=False):
            chosen = found.where(law=Law(kind, d))
            rows = chosen.stack("rank").mean(0)
            axes.plot(chosen[0].case.samples, rows, "o-", ms=3, color=color, label=f"d = {d}")
        axes.set_title(name, fontsize=9)
    for color, kind, name in zip(
        INK, ("relu", "heavy"), ("ReLU", "Student, 3 degrees of freedom"), strict=False
    ):
        for result in paths.where(law=Law(kind, 16)):
            label = name if result.case.seed == 0 else None
            grid[2].plot(result["samples"], result["deviation"], color=color, lw=0.8, label=label)
    grid[2].set_title("single samples", fontsize=9)
    for axes in grid:
        finish(axes, xscale="log", yscale="log", xlabel="n", ylabel="|st/er − 1|")
    return figure
