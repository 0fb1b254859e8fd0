"""Figures 1, 4, 17 and 18."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from spectrain_studies.descent.config import Config
from spectrain_studies.descent.figures import EUCLIDEAN, RANK, SPECTRAL, panels
from spectrain_studies.descent.sparse_regression import BATCHES, GATED_LARGE, GATED_SPARSE, SPARSE
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import Results

STYLES = ("-", "--", ":", "-.")
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
            axes.set(xlabel="step", title=f"W{layer + 1}", ylim=(0, None))
            axes.legend(fontsize=7, frameon=False)
    losses.set(xlabel="step", ylabel="loss", yscale="log")
    losses.legend(fontsize=7, frameon=False)
    return figure


@STUDY.figure(
    "fig17",
    caption="Stable ranks of the post-activations at the start against the batch, for SwiGLU and, "
    "thin, for ReLU².",
    needs=[BATCHES],
)
def fig17(config: Config, batches: Results) -> Figure:
    figure, (axes,) = panels(1, 1)
    for activation, color, width in (("swiglu", SPECTRAL, 1.6), ("relu2", RANK, 0.8)):
        results = batches.where(activation=activation)
        sizes = [result.case.setup.samples for result in results]
        for layer, course in enumerate(results.stack("stable_ranks").T):
            name = {"swiglu": "SwiGLU", "relu2": "ReLU²"}[activation]
            label, style = f"{name} A{layer + 1}", STYLES[layer]
            axes.plot(sizes, course, color=color, lw=width, ls=style, label=label, marker=".")
    axes.set(xlabel="batch", ylabel="stable rank", xscale="log", yscale="log")
    axes.legend(fontsize=7, frameon=False)
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
        axes.set(xlabel="step", ylabel="loss", yscale="log", ylim=limits)
        axes.set_title(f"n = {results[0].case.setup.samples:,}")
        axes.legend(fontsize=7, frameon=False)
    return figure
