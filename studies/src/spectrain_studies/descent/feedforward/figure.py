"""Figure 12, and networks of squares against depth."""

from __future__ import annotations

from math import log

import numpy as np
from matplotlib.figure import Figure

from spectrain_studies.descent.activations import ACTIVATIONS, SIGNS
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.drawing import INK, finish, panels
from spectrain_studies.descent.feedforward.moments import MOMENTS, VARIANCES
from spectrain_studies.descent.feedforward.squares import SQUARES, identity_rank, log_bound
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import Results


@STUDY.figure(
    "noise-to-signal",
    caption="Figure 12: noise-to-signal ratios of σ(g), g ~ N(0, v): closed forms (lines), draws "
    "(dots), and the bounds β/α of the table (dashed; they are the ratios but for GELU).",
    needs=(MOMENTS,),
)
def noise_to_signal(config: Config, found: Results) -> Figure:
    figure, (axes,) = panels(1, 1, wide=6.2, high=3.8)
    grid = np.geomspace(VARIANCES[0], VARIANCES[-1], 100)
    for color, (name, each) in zip(INK, ACTIVATIONS.items(), strict=False):
        ratios = [each.noise_to_signal(np.array([v])) for v in grid]
        axes.plot(grid, ratios, color=color, label=SIGNS[name])
        axes.plot(grid, [each.bound(float(v)) for v in grid], color=color, ls="--", lw=0.8)
        axes.plot(VARIANCES, found.where(activation=name).stack("drawn"), "o", ms=4, color=color)
    finish(axes, xscale="log", yscale="log", xlabel="v = wᵀΣw", ylabel="E‖z‖²/‖E z‖²")
    return figure


@STUDY.figure(
    "squares-depth",
    caption="Theorem 2.8: stable ranks of networks of squares against depth, their bound, and the "
    "population's effective rank with identity weights at infinite width.",
    needs=(SQUARES,),
)
def squares_depth(config: Config, found: Results) -> Figure:
    figure, (axes,) = panels(1, 1, wide=6.2, high=3.8)
    layers = config.theory.layers
    depths = np.arange(1, layers.depth + 1)
    bound = [log_bound(int(depth)) / log(10) for depth in depths]
    axes.plot(depths, bound, "--", color=INK[5], label="bound, c = 0.1")
    limit = [identity_rank(int(depth), float("inf")) / log(10) for depth in depths]
    axes.plot(depths, limit, color=INK[1], label="er(M), identity weights, infinite width")
    for color, weights in ((INK[1], "identity"), (INK[0], "Gaussian")):
        chosen = found.where(weights=weights.lower(), shift=0.0, width=layers.width)
        logs = np.log10(chosen.stack("ranks")).mean(0)
        label = f"{weights} weights, {layers.width} × {layers.samples[-1]} sampled"
        axes.plot(depths, logs, "o:", color=color, label=label)
    finish(axes, at=depths, xlabel="depth ℓ", ylabel="log₁₀ stable rank", yscale="symlog")
    return figure
