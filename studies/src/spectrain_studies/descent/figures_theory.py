"""Figures of §2 and §4: ratios, samples, depth, blocks, curvature and the spike of the mean."""

from __future__ import annotations

from math import log, pi

import numpy as np
from matplotlib.figure import Figure

from spectrain_studies.descent.activations import ACTIVATIONS
from spectrain_studies.descent.attention_slope import ATTENTION
from spectrain_studies.descent.claims_spike import by_width
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.figures import panels
from spectrain_studies.descent.layered import LOSSES, NETWORKS
from spectrain_studies.descent.mean_spike import GATED, SPIKED, UNGATED
from spectrain_studies.descent.moments import MOMENTS, VARIANCES
from spectrain_studies.descent.sampling import DEVIATIONS, PATHS, Law
from spectrain_studies.descent.squares import SQUARES, identity_rank, log_bound
from spectrain_studies.descent.study import STUDY
from spectrain_studies.descent.transformer_block import BLOCKS, MATRICES
from spectrain_studies.frame import Results

INK = ("#14525a", "#a85a14", "#5b3f8c", "#2f7d32", "#9c2f55", "#8a8a8a", "#3f4fb5")
SIGNS = {"abs": "|t|", "relu": "ReLU", "leaky": "leaky ReLU", "relu2": "ReLU²", "gelu": "GELU"}


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
    axes.set(xscale="log", yscale="log", xlabel="v = wᵀΣw", ylabel="E‖z‖²/‖E z‖²")
    axes.legend(fontsize=7, frameon=False)
    return figure


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
        axes.set(xscale="log", yscale="log", xlabel="n", ylabel="|st/er − 1|")
        axes.legend(fontsize=7, frameon=False)
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
    axes.set(xlabel="depth ℓ", ylabel="log₁₀ stable rank", yscale="symlog", xticks=depths)
    axes.legend(fontsize=7, frameon=False)
    return figure


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
        axes.set_title(kind, fontsize=9)
        axes.set(xlabel="layer ℓ", ylabel="stable rank", yscale="log", ylim=(0.9, None))
    grid[0].legend(fontsize=7, frameon=False)
    last = config.theory.block.layers - 1
    grid[1].annotate("2π", (last, 2 * pi * 1.1), fontsize=8, color=INK[5], ha="right")
    return figure


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
            rows = [chosen.where(samples=int(n)).stack(name).mean() for n in sizes]
            axes.plot(sizes, rows, "o-", ms=3, color=color, label=label)
            power = -0.5 if name == "feature" else -1.0
            axes.plot(sizes, rows[-1] * (sizes / sizes[-1]) ** power, ":", color=color, lw=0.8)
        axes.set(xscale="log", yscale="log", xlabel="n", ylabel="curvature")
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.minorticks_off()
        axes.set_title(loss, fontsize=9)
        axes.legend(fontsize=7, frameon=False)
    widths = config.theory.layered.sizes
    names = {"gaussian": "Gaussian weights", "torn": "two tied keys, all ‖W‖ = 1"}
    for color, (kind, label) in zip(INK, names.items(), strict=False):
        rows = [attention.where(kind=kind, size=size).stack("slope").mean() for size in widths]
        grid[2].plot(widths, rows, "o-", ms=3, color=color, label=label)
    grid[2].set(xscale="log", yscale="log", xlabel="d = n", ylabel="J_Φ of attention")
    grid[2].set_xticks(widths, [str(size) for size in widths])
    grid[2].minorticks_off()
    grid[2].legend(fontsize=7, frameon=False)
    return figure


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
            rows = by_width(config, found, activation, name).mean(1)
            label = SIGNS.get(activation, "SwiGLU")
            axes.plot(widths, rows, "o-", ms=3, color=color, label=label)
        if activation in ACTIVATIONS:
            level = 1 / ACTIVATIONS[activation].noise_to_signal(np.array([1.0]))
            grid[0].axhline(level, color=color, ls="--", lw=0.8)
    for axes, (name, label) in zip(grid, names.items(), strict=True):
        axes.set(xscale="log", xlabel="width k", ylabel=label)
        axes.set_xticks(widths, [str(width) for width in widths])
        axes.minorticks_off()
        if name != "cosine":
            axes.set_yscale("log")
    grid[1].set_ylim(0, 1.05)
    grid[1].legend(fontsize=7, frameon=False)
    return figure
