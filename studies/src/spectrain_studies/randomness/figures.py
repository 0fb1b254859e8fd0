"""Figures of the Gaussian machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spectrain.rmt import WignerSurmise
from spectrain_studies.frame import Results
from spectrain_studies.randomness.config import Config
from spectrain_studies.randomness.rbm.experiment import (
    COURSE,
    GENERALISATION,
    REST,
    Machine,
    sweep_points,
)
from spectrain_studies.randomness.statistics import (
    PAIRS,
    base,
    mean_spacing,
    over_runs,
    pair_modes,
    smallest,
    spacings,
    width,
)
from spectrain_studies.randomness.study import STUDY

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def panels(count: int, *, height: float = 2.8, wide: float = 3.0) -> tuple[Figure, list[Any]]:
    """A row of axes."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        1, count, figsize=(wide * count, height), layout="constrained", squeeze=False
    )
    plt.close(figure)  # kept by its reference only
    return figure, list(axes[0])


@STUDY.figure(
    "course",
    caption="RBM evolution: levels x = ξ² of the machine (filled) and of the ten-mode equation "
    "(line) on their way from the Marchenko-Pastur law to the target spectrum (ticks).",
    needs=(COURSE,),
)
def draw_course(config: Config, course: Results) -> Figure:
    result = course.only()
    times = result.case.times
    rest = Machine.of(config).rbm.fixed_points(Machine.of(config).field.modes).numpy()
    figure, axes = panels(len(times), wide=2.1, height=2.6)
    bins = np.linspace(0, 7, 71)
    for axis, time, learned, equation in zip(
        axes, times, result["machine"], result["equation"], strict=True
    ):
        axis.hist(learned.ravel(), bins, density=True, color="0.75")
        axis.hist(equation.ravel(), bins, density=True, histtype="step", color="C3")
        axis.plot(rest, np.zeros_like(rest), "k|", markersize=10, clip_on=False)
        axis.set(title=f"αt = {time:g}", xlabel="x", yticks=[])
    return figure


@STUDY.figure(
    "surmise",
    caption="Spacings of the four degenerate pairs at α = 0.1, |B| = 16, and their collapse in "
    "s = S/⟨S⟩ over all learning rates and batch sizes; line: Wigner surmise.",
    needs=(REST,),
)
def draw_surmise(config: Config, rest: Results) -> Figure:
    figure, (left, right) = panels(2, wide=4.0)
    for pair, kappa in zip(PAIRS, pair_modes(config), strict=True):
        s = spacings(base(rest, config)["levels"], pair).ravel()
        bins = np.histogram_bin_edges(s, "fd")
        left.hist(s, bins, density=True, histtype="step", label=f"κ = {kappa:.2f}")
        grid = np.linspace(0, s.max(), 200)
        left.plot(grid, WignerSurmise(mean=float(s.mean())).density(grid), color="0.6", lw=0.8)
    for rate, batch in sweep_points(config):
        for pair in PAIRS:
            s = spacings(rest.where(rate=rate, batch=batch).only()["levels"], pair).ravel()
            heights, edges = np.histogram(s / s.mean(), np.linspace(0, 4, 25), density=True)
            right.plot((edges[1:] + edges[:-1]) / 2, heights, ".", color="C0", markersize=3)
    grid = np.linspace(0, 4, 200)
    right.plot(grid, WignerSurmise().density(grid), "k")
    left.set(xlabel="S", ylabel="density")
    right.set(xlabel="S/⟨S⟩")
    left.legend(fontsize=7)
    return figure


@STUDY.figure(
    "spacing-law",
    caption="⟨S⟩ against √((α/|B|)(μ² − κ)) for all pairs; dashed: slope √(2π), theory as α → 0.",
    needs=(REST,),
)
def draw_law(config: Config, rest: Results) -> Figure:
    figure, (axis,) = panels(1, wide=4.6, height=3.4)
    one = config.machine
    for style, points in (
        ("o", [(one.batch_rate, b) for b in one.batches]),
        ("s", [(r, one.rate_batch) for r in one.rates]),
    ):
        for number, (pair, kappa) in enumerate(zip(PAIRS, pair_modes(config), strict=True)):
            chosen = [rest.where(rate=r, batch=b).only() for r, b in points]
            x = [(r / b * (one.mass_squared - kappa)) ** 0.5 for r, b in points]
            y = [mean_spacing(result, pair) for result in chosen]
            label = f"κ = {kappa:.2f}" if style == "o" else None
            axis.errorbar(
                x,
                [e.value for e in y],
                [e.error for e in y],
                fmt=style,
                color=f"C{number}",
                label=label,
                ms=4,
            )
    grid = np.array([0, axis.get_xlim()[1]])
    axis.plot(grid, (2 * np.pi) ** 0.5 * grid, "k--", lw=0.8)
    axis.set(xlabel="√((α/|B|)(μ² − κ))", ylabel="⟨S⟩", title="circles: batch, squares: rate")
    axis.legend(fontsize=7)
    return figure


@STUDY.figure(
    "two-mode",
    caption="Density of levels of two degenerate pairs, at the least α/|B| and at α = 0.1, |B| = "
    "16, with the two-mode density fitted.",
    needs=(REST,),
)
def draw_two_mode(config: Config, rest: Results) -> Figure:
    figure, axes = panels(4)
    kappas = pair_modes(config)
    points = [(result, i) for result in (smallest(rest), base(rest, config)) for i in (0, 1)]
    for axis, (result, i) in zip(axes, points, strict=True):
        levels = result["levels"][..., list(PAIRS[i])].ravel()
        law, _ = width(result, PAIRS[i])
        axis.hist(levels, np.histogram_bin_edges(levels, "fd"), density=True, color="0.75")
        grid = np.linspace(levels.min(), levels.max(), 300)
        axis.plot(grid, law.density(grid), "C3", label=f"σ = {law.sigma:.3f}")
        title = f"α = {result.case.rate:g}, |B| = {result.case.batch}, κ = {kappas[i]:.2f}"
        axis.set(title=title, xlabel="λ = μ² − x", yticks=[])
        axis.title.set_fontsize(8)
        axis.legend(fontsize=7)
    return figure


@STUDY.figure(
    "repulsion",
    caption="Learned eigenvalue over target against α/|B|, all ten modes, |B| ≥ 16.",
    needs=(REST,),
)
def draw_repulsion(config: Config, rest: Results) -> Figure:
    figure, (axis,) = panels(1, wide=4.6, height=3.4)
    modes = Machine.of(config).field.modes.numpy()
    points = sorted(((r, b) for r, b in sweep_points(config) if b >= 16), key=lambda p: p[0] / p[1])
    for i, kappa in enumerate(modes):
        found = [over_runs(rest.where(rate=r, batch=b).only()["levels"][..., i]) for r, b in points]
        y = [float(each.value or 0) / kappa for each in found]
        axis.plot([r / b for r, b in points], y, "o-", ms=3, lw=0.8, label=f"{kappa:.2f}")
    axis.axhline(1, color="0.5", lw=0.8)
    axis.set(xlabel="α/|B|", ylabel="learned λ/κ")
    axis.locator_params(axis="x", nbins=5)
    axis.legend(fontsize=6, ncols=2)
    return figure


@STUDY.figure(
    "generalisation",
    caption="Log-likelihood against α/|B| where few configurations are learnt from: of the data, "
    "and of the true law. Dashed: α/|B| → 0.",
    needs=(GENERALISATION,),
)
def draw_generalisation(config: Config, generalisation: Results) -> Figure:
    figure, (axis,) = panels(1, wide=4.6, height=3.2)
    for name, colour in (("train", "C0"), ("held_out", "C1")):
        chosen = [generalisation.where(ratio=r) for r in config.machine.ratios]
        y = [np.mean([result[name].mean() for result in one]) for one in chosen]
        axis.plot(config.machine.ratios, y, "o-", color=colour, label=name.replace("_", "-"))
        limit = np.mean([result[f"{name}_limit"] for result in generalisation])
        axis.axhline(limit, color=colour, ls="--", lw=0.8)
    axis.set(xlabel="α/|B|", ylabel="log-likelihood, nats")
    axis.locator_params(axis="x", nbins=5)
    axis.legend(fontsize=7)
    return figure
