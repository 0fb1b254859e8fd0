"""Figures 1, 4, 17 and 18."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from spectrain_studies.descent.config import Config
from spectrain_studies.descent.drawing import EUCLIDEAN, RANK, SPECTRAL, STYLES, finish, panels
from spectrain_studies.descent.sparse_network.experiment import (
    BATCHES,
    GATED_LARGE,
    GATED_SPARSE,
    SPARSE,
)
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import Results

METHODS = ((False, "GD", EUCLIDEAN), (True, "SpecGD", SPECTRAL))


@STUDY.figure(
    "fig1",
    caption="Sparse regression with ReLU²: stable ranks of the input and of the post-activations "
    "along gradient descent (left) and along SpecGD (right).",
    needs=[SPARSE],
)
def fig1(config: Config, sparse: Results) -> Figure:
    figure, grid = panels(1, 2)
    for axes, (spectral, label, color) in zip(grid, METHODS, strict=True):
        result = sparse.where(spectral=spectral).only()
        for layer, style in enumerate(STYLES):
            name = "X" if layer == 0 else f"A{layer}"
            shade = RANK if layer == 0 else color
            course = result["stable_ranks"][:, layer]
            axes.plot(result["steps"], course, color=shade, ls=style, label=name)
        axes.set(xlabel="step", ylabel="stable rank", yscale="log", title=label)
        axes.set_yticks((2, 4, 8, 16, 32, 64), labels=("2", "4", "8", "16", "32", "64"))
        axes.minorticks_off()
        axes.legend(fontsize=7, frameon=False, ncols=4, loc="center", bbox_to_anchor=(0.5, 0.75))
    return figure


@STUDY.figure(
    "fig4",
    caption="Sparse regression with ReLU²: loss, and nuclear ranks of the gradients of W₁, W₂, W₃ "
    "beside the stable ranks of what feeds them (grey), by method.",
    needs=[SPARSE],
)
def fig4(config: Config, sparse: Results) -> Figure:
    figure, (losses, *layers) = panels(1, 4, wide=3.4)
    for spectral, label, color in METHODS:
        result = sparse.where(spectral=spectral).only()
        losses.plot(result["loss"], color=color, label=label)
        for layer, axes in enumerate(layers):
            steps = result["steps"]
            axes.plot(steps, result["nuclear_ranks"][:, layer], color=color, label=f"nr, {label}")
            style = "--" if spectral else ":"
            stable = result["stable_ranks"][:, layer]
            axes.plot(steps, stable, color=RANK, ls=style, label=f"st, {label}")
            finish(axes, xlabel="step", title=f"W{layer + 1}", ylim=(0, None))
    finish(losses, xlabel="step", ylabel="loss", yscale="log")
    return figure


@STUDY.figure(
    "fig17",
    caption="Stable ranks of the post-activations at the start against the batch, mean over seeds, "
    "for SwiGLU and, thin, for ReLU².",
    needs=[BATCHES],
)
def fig17(config: Config, batches: Results) -> Figure:
    figure, (axes,) = panels(1, 1)
    for activation, color, width in (("swiglu", SPECTRAL, 1.6), ("relu2", RANK, 0.8)):
        ranks = batches.where(activation=activation).stack("stable_ranks").mean(0)
        for layer, course in enumerate(ranks.T):
            label = f"{'SwiGLU' if activation == 'swiglu' else 'ReLU²'} A{layer + 1}"
            (line,) = axes.plot(config.dynamics.batch_sizes, course, marker=".", label=label)
            line.set(color=color, lw=width, ls=STYLES[layer])
    finish(axes, xlabel="batch", ylabel="stable rank", xscale="log", yscale="log")
    return figure


@STUDY.figure(
    "fig18",
    caption="Sparse regression with SwiGLU: loss at a small and at a large batch; a line that "
    "leaves at the top diverges.",
    needs=[GATED_SPARSE, GATED_LARGE],
)
def fig18(config: Config, gated: Results, large: Results) -> Figure:
    figure, grid = panels(1, 2)
    for axes, results in zip(grid, (gated, large), strict=True):
        for spectral, label, color in METHODS:
            losses = results.where(spectral=spectral).only()["loss"]
            axes.plot(np.where(np.isfinite(losses), losses, np.nan), color=color, label=label)
        every = np.concatenate([result["loss"] for result in results])
        limits = every.min() / 2, 10 * every[0]
        finish(axes, xlabel="step", ylabel="loss", yscale="log", ylim=limits)
        axes.set_title(f"n = {results[0].case.setup.samples:,}")
    return figure
