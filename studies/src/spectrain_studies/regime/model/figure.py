"""Figures 1–4 of the document, and the balance that it lacks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from numpy.typing import NDArray

from spectrain_studies.frame import Results
from spectrain_studies.frame.statistics import Array
from spectrain_studies.regime.config import Config
from spectrain_studies.regime.model.experiment import (
    BALANCE,
    BATCHES,
    DECAYS,
    DEFINITIONS,
    DIMENSIONS,
    DYNAMICS,
)
from spectrain_studies.regime.statistics import late_arms, late_ratio, twin_norm
from spectrain_studies.regime.study import STUDY

MATRIX, MULTIPLIER, TWIN = "#14525a", "#a85a14", "#8a8a8a"
STYLES = ("-", "--", ":", "-.")


def panels(count: int) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(4.6 * count, 3.4), layout="constrained")
    return figure, list(np.atleast_1d(figure.subplots(1, count)))


def band(axes: Axes, x: Iterable[float] | NDArray[Any], values: Array, **style: object) -> None:
    """Mean over seeds (the last axis), and the range of the middle 80 %."""
    low, high = np.quantile(values, [0.1, 0.9], axis=-1)
    at = np.array([*x])
    (line,) = axes.plot(at, values.mean(-1), **style)  # type: ignore[arg-type]
    axes.fill_between(at, low, high, color=line.get_color(), alpha=0.15, lw=0)


def _pair(axes: Axes, x: Iterable[float], results: Results, name: str) -> None:
    for kind, color, label in (("weight", MATRIX, "W"), ("multiplier", MULTIPLIER, "γ")):
        values = late_arms(results, f"{kind}_{name}")
        band(axes, x, values, color=color, label=label, marker="o", ms=3)


def _snr(axes: Axes, x: Iterable[float], results: Results) -> None:
    """SNR of both kinds in every definition: colour tells the kind, line the definition."""
    for (name, label), style in zip(DEFINITIONS.items(), STYLES, strict=True):
        for kind, color in (("weight", MATRIX), ("multiplier", MULTIPLIER)):
            means = late_arms(results, f"{kind}_{name}").mean(-1)
            own = label if kind == "weight" else None
            axes.plot([*x], means, color=color, ls=style, label=own, lw=1.2)
    axes.axhline(1, color=TWIN, lw=0.6)
    axes.set(xscale="log", yscale="log", ylabel="SNR late in the run")
    axes.legend(fontsize=6, frameon=False)


@STUDY.figure(
    "fig1",
    caption="Norms of W and γ with those of their noise twins, and SNR ratio γ/W in every "
    "definition, in the run of the document's Figure 1. Bands: middle 80 % of the seeds.",
    needs=[DYNAMICS],
)
def fig1(config: Config, dynamics: Results) -> Figure:
    figure, (norms, ratios) = panels(2)
    result = dynamics.where(variant="as printed").only()
    for kind, color, label, count in (
        ("weight", MATRIX, "‖W‖", config.dimension**2),
        ("multiplier", MULTIPLIER, "‖γ‖", config.dimension),
    ):
        band(norms, result["steps"], result[f"{kind}_norm"][:, 0], color=color, label=label)
        twin = twin_norm(count, config.learning_rate, config.weight_decay)
        norms.axhline(twin, color=color, ls=":", label=f"noise twin of {label}")
    norms.set(xlabel="step", ylabel="norm", ylim=(0, None))
    norms.legend(fontsize=7, frameon=False)
    for (name, label), style in zip(DEFINITIONS.items(), STYLES, strict=True):
        ratio = result[f"multiplier_{name}"][:, 0] / result[f"weight_{name}"][:, 0]
        band(ratios, result["steps"], ratio, ls=style, label=label)
    ratios.axhline(5, color=TWIN, lw=0.8)
    ratios.set(xlabel="step", ylabel="SNR of γ / SNR of W", yscale="log")
    ratios.legend(fontsize=7, frameon=False)
    return figure


@STUDY.figure(
    "fig2",
    caption="Norms and SNR late in the run against batch size; dotted: noise twins' norms.",
    needs=[BATCHES],
)
def fig2(config: Config, batches: Results) -> Figure:
    figure, (norms, snr) = panels(2)
    sizes = config.batches.values
    _pair(norms, sizes, batches, "norm")
    for count, color in ((config.dimension**2, MATRIX), (config.dimension, MULTIPLIER)):
        twin = twin_norm(count, config.learning_rate, config.weight_decay)
        norms.axhline(twin, color=color, ls=":")
    norms.set(xscale="log", xlabel="batch size", ylabel="norm late in the run", ylim=(0, None))
    norms.legend(fontsize=7, frameon=False)
    _snr(snr, sizes, batches)
    snr.set_xlabel("batch size")
    return figure


@STUDY.figure(
    "fig3",
    caption="Norms and loss late in the run against weight decay (0 at the left edge); dotted: "
    "noise twins' norms.",
    needs=[DECAYS],
)
def fig3(config: Config, decays: Results) -> Figure:
    figure, (norms, loss) = panels(2)
    values = np.array([result.case.value for result in decays])
    smallest = values[values > 0].min()
    x = np.where(values > 0, values, smallest / 4)
    _pair(norms, x, decays, "norm")
    grid = np.geomspace(smallest, values.max(), 50)
    for count, color in ((config.dimension**2, MATRIX), (config.dimension, MULTIPLIER)):
        twins = [twin_norm(count, config.learning_rate, value) for value in grid]
        norms.plot(grid, twins, color=color, ls=":")
    norms.set(xscale="log", yscale="log", xlabel="weight decay", ylabel="norm late in the run")
    norms.legend(fontsize=7, frameon=False)
    band(loss, x, late_arms(decays, "loss"), color="black", marker="o", ms=3)
    loss.set(xscale="log", yscale="log", xlabel="weight decay", ylabel="loss late in the run")
    for axes in (norms, loss):
        axes.axvline(smallest / 2, color=TWIN, lw=0.6, ls="--")
        axes.xaxis.set_minor_formatter(NullFormatter())
    return figure


@STUDY.figure(
    "fig4",
    caption="SNR late in the run against dimension, and the ratio γ/W, in every definition.",
    needs=[DIMENSIONS],
)
def fig4(config: Config, dimensions: Results) -> Figure:
    figure, (snr, ratios) = panels(2)
    values = config.dimensions.values
    _snr(snr, values, dimensions)
    snr.set_xlabel("dimension d")
    for (name, label), style in zip(DEFINITIONS.items(), STYLES, strict=True):
        band(ratios, values, late_ratio(dimensions, name), ls=style, label=label)
    ratios.set(xscale="log", yscale="log", xlabel="dimension d", ylabel="SNR of γ / SNR of W")
    ratios.legend(fontsize=7, frameon=False)
    return figure


@STUDY.figure(
    "balance",
    caption="Norms late in the run against √(η/λ) at fixed ηλ, relative to the document's; grey: "
    "proportional to √(η/λ).",
    needs=[BALANCE],
)
def balance(config: Config, found: Results) -> Figure:
    figure, (axes,) = panels(1)
    values = np.array(config.balance.values)
    _pair(axes, values, found, "norm")
    products = late_arms(found, "product_norm")
    band(axes, values, products, color="black", label="diag(γ)W", marker="o", ms=3)
    twin = twin_norm(config.dimension**2, config.learning_rate, config.weight_decay)
    axes.plot(values, twin * values, color=TWIN, label="noise twin of W")
    axes.set_xscale("log", base=2)
    axes.set(yscale="log", xlabel="√(η/λ), relative", ylabel="norm late in the run")
    axes.legend(fontsize=7, frameon=False)
    return figure
