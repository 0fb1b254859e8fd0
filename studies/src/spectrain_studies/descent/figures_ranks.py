"""Figures 14, 15 and 16, the windows of the theorems, and the dials of the stable rank."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure

from spectrain_studies.descent.claims_dial import columns_and_ranks
from spectrain_studies.descent.claims_ranks import NAMES, by_width, rank_at, widths
from spectrain_studies.descent.claims_windows import window_rank
from spectrain_studies.descent.closed_form import MODELS, RANKS
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.dial import COLUMNS, DIAL
from spectrain_studies.descent.figures import EUCLIDEAN, RANK, SPECTRAL, panels
from spectrain_studies.descent.kernel import KERNEL, phi
from spectrain_studies.descent.spiked import SPIKED
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import Results

COLORS = dict(zip(MODELS, (EUCLIDEAN, SPECTRAL), strict=True))


@STUDY.figure(
    "fig14",
    caption="Nuclear rank of the gradient over k against the step of gradient descent, for several "
    "widths k, mean over seeds: realizable (left) and teacher–student model (right).",
    needs=[RANKS],
)
def fig14(config: Config, ranks: Results) -> Figure:
    figure, grid = panels(1, 2)
    shades = np.linspace(0.3, 1.0, len(config.dynamics.ranks.widths))
    for axes, model in zip(grid, MODELS, strict=True):
        for shade, width in zip(shades, widths(ranks), strict=True):
            chosen = ranks.where(model=model, width=width)
            course = chosen.stack("nuclear_ranks").mean(0) / width
            steps = np.array(chosen[0].case.steps)
            axes.plot(steps + 1, course, color=COLORS[model], alpha=shade, label=f"k = {width}")
        axes.set(xlabel="step + 1", ylabel="nuclear rank / k", xscale="log", title=NAMES[model])
        axes.set_ylim(0, None)
        axes.legend(fontsize=7, frameon=False)
    return figure


@STUDY.figure(
    "fig15",
    caption="Nuclear rank of the gradient at the start (dotted) and after one step against the "
    "width, in both models.",
    needs=[RANKS],
)
def fig15(config: Config, ranks: Results) -> Figure:
    figure, (axes,) = panels(1, 1)
    for model in MODELS:
        for step, style in ((0, ":"), (1, "-")):
            course = by_width(ranks, model, rank_at(step)).mean(1)
            label = NAMES[model] if step else None
            axes.plot(widths(ranks), course, color=COLORS[model], ls=style, marker="o", label=label)
    axes.set(xlabel="k", ylabel="nuclear rank")
    axes.legend(fontsize=7, frameon=False)
    return figure


@STUDY.figure(
    "fig16",
    caption="φ with its expansion (π/2)t + t²/2 (dashed), and what is left of the cross-covariance "
    "when the form of Theorem 3.7, as printed and as corrected, is taken away.",
    needs=[KERNEL],
)
def fig16(config: Config, kernel: Results) -> Figure:
    figure, (function, residuals) = panels(1, 2)
    t = torch.linspace(-1, 1, 201, dtype=torch.float64)
    function.plot(t, phi(t), color=EUCLIDEAN, label="φ")
    function.plot(t, np.pi / 2 * t + t.square() / 2, color=RANK, ls="--", label="(π/2)t + t²/2")
    function.set(xlabel="t", xticks=(-1, -0.5, 0, 0.5, 1))
    dimensions = sorted({result.case.dimension for result in kernel})
    for form, color in (("printed", RANK), ("corrected", SPECTRAL)):
        means = [kernel.where(dimension=d).stack(form).mean() for d in dimensions]
        residuals.plot(dimensions, means, color=color, marker="o", label=form)
    residuals.set(xlabel="d", ylabel="operator norm of the rest", xscale="log", yscale="log")
    residuals.set_xticks(dimensions, labels=[str(d) for d in dimensions])
    residuals.minorticks_off()
    for axes in (function, residuals):
        axes.legend(fontsize=7, frameon=False)
    return figure


@STUDY.figure(
    "windows",
    caption="Spiked models: smallest nuclear rank over d in the window of the theorems (left), and "
    "the last step with nr ≥ d^{3/4} over d^u log d (right), by model and exponents.",
    needs=[SPIKED],
)
def windows(config: Config, spiked: Results) -> Figure:
    figure, (ranks, ends) = panels(1, 2)
    for model in MODELS:
        for (lower, upper), style in zip(
            config.dynamics.spiked.exponents, ("-", "--", ":", "-."), strict=False
        ):
            chosen = spiked.where(model=model, lower=lower, upper=upper)
            dimensions = sorted({result.case.dimension for result in chosen})
            share, end = [], []
            for d in dimensions:
                at = chosen.where(dimension=d)
                share.append(np.mean([window_rank(result) for result in at]) / d)
                end.append(at.stack("lasting")[:, 0].mean() / (d**upper * np.log(d)))
            label = f"{NAMES[model]}, ℓ = {lower:g}, u = {upper:g}"
            ranks.plot(dimensions, share, color=COLORS[model], ls=style, marker="o", label=label)
            ends.plot(dimensions, end, color=COLORS[model], ls=style, marker="o")
    ranks.set(xlabel="d", ylabel="smallest nr / d", ylim=(0, 1))
    ends.set(xlabel="d", ylabel="last step / (d^u log d)", ylim=(0, None))
    ranks.legend(fontsize=7, frameon=False)
    return figure


@STUDY.figure(
    "dial",
    caption="A = I + λ11ᵀ: last losses of both methods where they are above round-off (left), and "
    "Δ_spectral/Δ_euclidean along gradient descent (middle), against the stable rank; stable rank "
    "of random features against the number of columns (right).",
    needs=[DIAL, COLUMNS],
)
def dial(config: Config, turned: Results, columns: Results) -> Figure:
    figure, (losses, gains, counts) = panels(1, 3)
    chosen = turned.where(seed=0)
    stable = chosen.stack("stable_rank")
    for name, label, color in (("gd", "GD", EUCLIDEAN), ("specgd", "SpecGD", SPECTRAL)):
        last = chosen.stack(f"{name}_loss")[:, -1]
        positive = last > 1e-25
        losses.plot(stable[positive], last[positive], color=color, marker="o", label=label)
    losses.set(xlabel="st(A)", ylabel="last loss", xscale="log", yscale="log")
    for step, style in ((0, ":"), (1, "-")):
        gains.plot(
            stable,
            chosen.stack("gains")[:, step],
            color=SPECTRAL,
            ls=style,
            marker="o",
            label=f"step {step}",
        )
    gains.axhline(1, color=RANK, lw=0.6)
    gains.set(xlabel="st(A)", ylabel="Δ spectral / Δ Euclidean", xscale="log", yscale="log")
    for activation, label, color in (("relu", "ReLU", EUCLIDEAN), ("swiglu", "SwiGLU", SPECTRAL)):
        numbers, ranks = columns_and_ranks(columns, activation)
        counts.plot(numbers, ranks.mean(1), color=color, marker="o", label=label)
    counts.set(xlabel="columns", ylabel="stable rank", xscale="log", yscale="log")
    counts.set_yticks((3, 10, 30), labels=("3", "10", "30"))
    counts.minorticks_off()
    for axes in (losses, gains, counts):
        axes.legend(fontsize=7, frameon=False)
    return figure
