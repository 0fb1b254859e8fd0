"""The figures: plateaus, gaps, echoes, angles, replicas, optimizers."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spectrain.matrix.polar import QUINTIC
from spectrain_studies.frame import Results
from spectrain_studies.noise.config import Config
from spectrain_studies.noise.gpt.experiment import TRAINED
from spectrain_studies.noise.race.claims import tuned
from spectrain_studies.noise.race.experiment import ARMS, RACE
from spectrain_studies.noise.single.experiment import GROWTH, LEVELS
from spectrain_studies.noise.sources.experiment import ATTRIBUTED, SOURCES
from spectrain_studies.noise.statistics import column
from spectrain_studies.noise.study import STUDY

COLORS = ("#3f4fb5", "#b5651d", "#1f7a6c", "#9c2f55")
DEGREES = 180 / np.pi


def newton_schulz_curve(sigma: np.ndarray, rounds: int = 5) -> np.ndarray:
    """What Muon's iteration makes of a singular value that is sigma of the Frobenius norm."""
    a, b, c = QUINTIC
    for _ in range(rounds):
        sigma = a * sigma + b * sigma**3 + c * sigma**5
    return sigma


@STUDY.figure(
    "plateaus",
    caption="Predicted against measured plateau, and echo gap γ against noise strength η, of every "
    "matrix of the GPT at its trained checkpoints.",
    needs=(TRAINED,),
)
def plateaus(config: Config, found: Results) -> Figure:
    figure = Figure(figsize=(8, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    pairs = ((left, "zeta_pred", "zeta_emp"), (right, "eta_mult", "gamma_echo"))
    labels = {"zeta_pred": "ζ predicted", "zeta_emp": "ζ measured", "eta_mult": "η"}
    for axes, x, y in pairs:
        for number, step in enumerate(config.transformer.checkpoints[1:], start=1):
            points = [(r[x][number], r[y][number]) for r in found]
            across = np.concatenate([p[0] for p in points]), np.concatenate([p[1] for p in points])
            axes.plot(*across, ".", ms=4, color=COLORS[number % 4], label=f"step {step}")
        axes.plot([0, 1], [0, 1], color="0.6", lw=1, zorder=0)
        axes.set(xlabel=labels.get(x, x), ylabel=labels.get(y, "γ"), xlim=(0, 1), ylim=(0, 1))
    left.legend(frameon=False, fontsize="small")
    return figure


@STUDY.figure(
    "directions",
    caption="Directions of the GPT at the last checkpoint, one training: echo against σ, angles, "
    "gaps, scaled cosines, and echo against σ/‖G‖ with the Newton-Schulz curve.",
    needs=(TRAINED,),
)
def directions(config: Config, found: Results) -> Figure:
    figure = Figure(figsize=(11, 6.4), layout="constrained")
    grid = figure.subplots(2, 3)
    last, names = found[0], list(found[0]["names"])
    sigma, echo = last["mean_sigma"][-1], last["echo"][-1]
    left, right = (np.clip(last[side][-1], 0, 1) for side in ("left", "right"))
    norm = last["norm"][-1][:, None]
    depth = np.array([_depth(name) for name in names])
    for number in sorted(set(depth)):
        chosen = depth == number
        told = {"color": COLORS[number % 4], "label": f"layer {number}" if number < 3 else "ends"}
        _dots(grid[0, 0], sigma[chosen], echo[chosen], **told)
        _dots(grid[0, 1], sigma[chosen], np.arccos(np.sqrt(left[chosen])) * DEGREES, **told)
        _dots(grid[0, 2], sigma[chosen], np.arccos(np.sqrt(right[chosen])) * DEGREES, **told)
        gaps = -np.diff(sigma[chosen], axis=1)
        _dots(grid[1, 0], sigma[chosen][:, :-1], gaps, **told)
        width = config.transformer.width
        _dots(grid[1, 1], sigma[chosen], np.sqrt(width * left[chosen]), **told)
        _dots(grid[1, 2], (sigma / norm)[chosen], echo[chosen], **told)
    shares = np.geomspace(1e-3, 1, 200)
    grid[1, 2].plot(shares, newton_schulz_curve(shares), color="0.5", lw=1)
    titles = (
        (grid[0, 0], "echo ζ", "σ"),
        (grid[0, 1], "left angle, degrees", "σ"),
        (grid[0, 2], "right angle, degrees", "σ"),
        (grid[1, 0], "σ_i − σ_{i+1}", "σ"),
        (grid[1, 1], "√d cos θ_L", "σ"),
        (grid[1, 2], "echo ζ", "σ/‖G‖"),
    )
    for axes, y, x in titles:
        axes.set(xscale="log", xlabel=x, ylabel=y)
    grid[1, 0].set_yscale("log")
    grid[0, 0].legend(frameon=False, fontsize="small")
    return figure


def _dots(axes: Axes, x: np.ndarray, y: np.ndarray, *, color: str, label: str) -> None:
    axes.plot(x.ravel(), y.ravel(), ".", ms=4, color=color, label=label)


def _depth(name: str) -> int:
    return int(name.split(".")[1]) if name.startswith("blocks.") else 3


@STUDY.figure(
    "replicas",
    caption="One direction: echo as replicas are added, corrected (lines) and as published "
    "(dashed), with theory (dotted); and 1/c² − 1 as its singular value grows.",
    needs=(GROWTH, LEVELS),
)
def replicas(config: Config, growth: Results, levels: Results) -> Figure:
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for color, kind in zip(COLORS, ("additive", "multiplicative"), strict=False):
        counts = config.simulations.growth
        rows = [growth.where(kind=kind, replicas=count) for count in counts]
        for name, style in (("echo", "-"), ("uncorrected", "--"), ("theory", ":")):
            values = [column(row, name).mean() for row in rows]
            left.plot(counts, values, style, color=color, label=kind if name == "echo" else None)
        theta = [2 * level for level in config.simulations.levels]
        tangents = [1 / column(levels.where(kind=kind, theta=t), "left").mean() - 1 for t in theta]
        right.plot(theta, tangents, "o-", color=color)
    left.set(xlabel="replicas R", ylabel="echo ζ", ylim=(0.5, 1))
    right.set(yscale="log", xlabel="σ", ylabel="1/c_L² − 1")
    for axes in (left, right):
        axes.set_xscale("log", base=2)
    left.legend(frameon=False, fontsize="small")
    return figure


@STUDY.figure(
    "sources",
    caption="Score of signal-proportional against isotropic noise, and coupling κ, with one source "
    "of noise at a time: every matrix of every training.",
    needs=(ATTRIBUTED,),
)
def sources(config: Config, found: Results) -> Figure:
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    for axes, name in zip(figure.subplots(1, 2), ("score", "coupling"), strict=True):
        for place, color in enumerate(COLORS):
            values = np.concatenate([np.asarray(r[name], dtype=float)[place] for r in found])
            jitter = place + np.linspace(-0.25, 0.25, len(values))
            axes.plot(jitter, values, ".", ms=4, color=color)
        axes.axhline(0, color="0.6", lw=1, zorder=0)
        axes.set(xticks=range(len(SOURCES)), ylabel="score" if name == "score" else "κ")
        axes.set_xticklabels(SOURCES)
    return figure


@STUDY.figure(
    "race",
    caption="Held-out loss of every seed at the learning rate that is best for the other seeds.",
    needs=(RACE,),
)
def race(config: Config, found: Results) -> Figure:
    figure = Figure(figsize=(4, 3.4), layout="constrained")
    axes = figure.add_subplot()
    for place, arm in enumerate(ARMS):
        losses = tuned(config, found, arm)
        axes.plot([place] * len(losses), losses, "o", color=COLORS[place], alpha=0.7)
    axes.set(xticks=range(len(ARMS)), ylabel="held-out loss, nats a character")
    axes.set_xticklabels(["AdamW", "Muon", "echo filter"])
    return figure
