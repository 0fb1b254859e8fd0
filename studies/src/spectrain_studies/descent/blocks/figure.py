"""Stable ranks through a stack of blocks, Corollary 2.15."""

from __future__ import annotations

from math import pi

from matplotlib.figure import Figure

from spectrain_studies.descent.blocks.experiment import BLOCKS, MATRICES
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.drawing import INK, finish, panels
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import Results


@STUDY.figure(
    "block-ranks",
    caption="Corollary 2.15: stable ranks through a stack of ReLU blocks at initialisation, mean "
    "over seeds, for embedded Zipf tokens and for isotropic inputs.",
    needs=(BLOCKS,),
)
def block_ranks(config: Config, found: Results) -> Figure:
    figure, grid = panels(1, 2)
    labels = ("$A^{rms}$", "$X^{att}$", "$A^{rms}_{mlp}$", "$B$", "$X^+$")
    for axes, kind in zip(grid, ("embedding", "isotropic"), strict=True):
        ranks = found.where(kind=kind, layers=config.theory.block.layers).stack("ranks").mean(0)
        for place, (color, label) in enumerate(zip(INK, labels, strict=False)):
            style = "s--" if MATRICES[place] == "mlp_rms" else "o-"
            axes.plot(ranks[:, place], style, ms=3, color=color, label=label)
        axes.axhline(2 * pi, color=INK[5], ls="--", lw=0.8)
        finish(axes, title=kind, xlabel="layer ℓ", ylabel="stable rank", yscale="log")
        axes.set_ylim(0.9, None)
    last = config.theory.block.layers - 1
    grid[1].annotate("2π", (last, 2 * pi * 1.1), fontsize=8, color=INK[5], ha="right")
    return figure
