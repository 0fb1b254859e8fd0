"""Figures of the study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spectrain.core.student import t_quantile
from spectrain_studies.frame import Results
from spectrain_studies.frame.statistics import LEVEL, over_seeds
from spectrain_studies.rank.arms import ARMS
from spectrain_studies.rank.coherence.claims import per_seed
from spectrain_studies.rank.coherence.experiment import COHERENCE
from spectrain_studies.rank.config import RankConfig
from spectrain_studies.rank.layers.claims import shares
from spectrain_studies.rank.layers.experiment import LAYERS
from spectrain_studies.rank.learning import (
    ADAM_UPDATES,
    AS_PRINTED,
    CHEAP_UPDATES,
    DYNAMICS,
    MOMENTUM_UPDATES,
)
from spectrain_studies.rank.newton_schulz.claims import at, benefit, share_of_rank
from spectrain_studies.rank.newton_schulz.experiment import ORTHONORMALIZING
from spectrain_studies.rank.statistics import (
    final_loss,
    joined,
    rank_course,
    result_of,
)
from spectrain_studies.rank.study import STUDY
from spectrain_studies.rank.train import SOURCES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLES = {"gpt": "GPT", "mlp": "MLP", "conv": "convolutional"}
BASES = {
    "sgd": ("muon", *(arm for arm in ARMS if ARMS[arm].base == "momentum")),
    "adamw": tuple(arm for arm in ARMS if arm.startswith("adamw-")),
    "printed-full": tuple(arm for arm in ARMS if arm.startswith("printed-")),
}
"""Arms by what they are compared with."""


def panels(rows: int, columns: int, width: float, height: float) -> tuple[Figure, np.ndarray]:
    """A figure and its axes as a 2-D array."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


@STUDY.figure(
    "dynamics",
    caption="Effective rank over full rank of the median hidden matrix through training: raw "
    "gradient, momentum and applied update; mean and 95 % interval over seeds.",
    needs=(DYNAMICS,),
)
def dynamics(config: RankConfig, runs: Results) -> Figure:
    """One row a model, one column a source, one line an optimizer."""
    models = _models(runs)
    figure, axes = panels(len(models), len(SOURCES), 3.2, 2.4)
    for row, model in zip(axes, models, strict=True):
        for axis, source in zip(row, SOURCES, strict=True):
            for arm in ("adamw", "muon", "sgd"):
                result = result_of(runs, model, arm)
                _band(axis, np.asarray(result["steps"]), rank_course(result, source), arm)
            axis.set(title=f"{TITLES[model]}: {source}", ylim=(0, 1))
        row[0].set_ylabel("effective rank / full rank")
    for axis in axes[-1]:
        axis.set_xlabel("step")
    axes[0, 0].legend(fontsize=7)
    return figure


@STUDY.figure(
    "newton-schulz",
    caption="Experiment 2. Left: angle between a gradient and its five-step Newton-Schulz factor "
    "against its nuclear rank, with the identity of the exact factor. Middle: the realised benefit "
    "of the spectral step over the Euclidean one. Right: median angle by number of steps.",
    needs=(ORTHONORMALIZING,),
)
def newton_schulz(config: RankConfig, runs: Results) -> Figure:
    """The three key questions."""
    figure, axes = panels(1, 3, 4.0, 3.2)
    left, middle, right = axes[0]
    line = np.linspace(0.02, 1, 100)
    left.plot(line, np.degrees(np.arccos(np.sqrt(line))), "k", linewidth=1, label="arccos √(nr/r)")
    for result in runs:
        name = TITLES[result.case.model]
        left.plot(share_of_rank(result), at(config, result, "angle"), ".", markersize=3, label=name)
        middle.plot(share_of_rank(result), np.exp(benefit(result)), ".", markersize=3, label=name)
        for style, method in zip(
            ("-", "--", ":"), ("quintic", "polar_express", "cubic"), strict=True
        ):
            medians = [
                np.median(at(config, result, "angle", method=method, steps=steps))
                for steps in config.probing.iterations
            ]
            right.plot(config.probing.iterations, medians, style, label=f"{name}, {method}")
    left.set(xlabel="nr(G)/r", ylabel="angle in degrees", ylim=(0, 90))
    middle.set(xlabel="nr(G)/r", ylabel="realised decrease, spectral / Euclidean", yscale="log")
    middle.axhline(1, color="0.6", linewidth=1)
    right.set(xlabel="Newton-Schulz steps", ylabel="median angle in degrees")
    for axis in (left, right):
        axis.legend(fontsize=6)
    return figure


@STUDY.figure(
    "interventions",
    caption="Experiment 3. Final held-out loss of every arm minus that of the arm it is compared "
    "with, each at its own best step size; mean and 95 % interval over seeds. Left is better.",
    needs=(DYNAMICS, MOMENTUM_UPDATES, ADAM_UPDATES, AS_PRINTED, CHEAP_UPDATES),
)
def interventions(config: RankConfig, *groups: Results) -> Figure:
    """One row a base, one column a model."""
    runs = joined(*groups)
    models = _models(runs)
    figure, axes = panels(1, len(models), 4.4, 6.2)
    for axis, model in zip(axes[0], models, strict=True):
        labels, place = [], 0
        for base, arms in BASES.items():
            for arm in dict.fromkeys(arms):
                if arm in (base, "adamw"):
                    continue
                difference = final_loss(runs, model, arm) - final_loss(runs, model, base)
                estimate = over_seeds(difference)
                labels.append(f"{arm} − {base}")
                if estimate.value is not None and estimate.low is not None:
                    reach = estimate.value - estimate.low
                    axis.errorbar(estimate.value, place, xerr=reach, fmt="o", markersize=4)
                place += 1
        axis.axvline(0, color="0.6", linewidth=1)
        axis.set_yticks(range(place), labels if model == models[0] else [""] * place, fontsize=7)
        axis.set_xscale("symlog", linthresh=0.1)
        axis.invert_yaxis()
        axis.set(title=TITLES[model], xlabel="loss difference in nats (logarithmic beyond 0.1)")
    return figure


@STUDY.figure(
    "curves",
    caption="Experiment 3. Held-out loss through training, mean over seeds.",
    needs=(DYNAMICS, MOMENTUM_UPDATES, CHEAP_UPDATES),
)
def curves(config: RankConfig, *groups: Results) -> Figure:
    """Learning curves of the arms that tell the aspects apart."""
    runs = joined(*groups)
    models = _models(runs)
    figure, axes = panels(1, len(models), 4.0, 3.4)
    chosen = ("adamw", "sgd", "muon", "few", "equal-top", "equal-frobenius", "noisy", "rows")
    for axis, model in zip(axes[0], models, strict=True):
        for arm in chosen:
            result = result_of(runs, model, arm)
            axis.plot(result["steps"], np.asarray(result["held_out"]).mean(1), label=arm)
        axis.set(title=TITLES[model], xlabel="step")
    axes[0, 0].set_ylabel("held-out loss in nats")
    axes[0, -1].legend(fontsize=7)
    return figure


@STUDY.figure(
    "places",
    caption="Experiments 4 and 5. Left: effective rank over full rank of the gradient by depth in "
    "the deep GPT, early and late. Right: unbiased signal-to-noise ratio of minibatch gradients "
    "and of their polar factors, median over matrices, one point a seed.",
    needs=(LAYERS, COHERENCE),
)
def places(config: RankConfig, layers: Results, coherence: Results) -> Figure:
    """Depth and coherence."""
    figure, axes = panels(1, 2, 4.4, 3.2)
    left, right = axes[0]
    for result in layers:
        depths = np.asarray(result["depths"])
        numbers = np.unique(depths[depths >= 0])
        course = shares(result)
        for style, sample, when in (("--", 1, "early"), ("-", -1, "late")):
            means = [course[sample][depths == number].mean() for number in numbers]
            left.plot(numbers, means, style, label=f"{result.case.arm}, {when}")
    left.set(xlabel="layer", ylabel="effective rank / full rank", ylim=(0, 1))
    left.legend(fontsize=7)
    for place, result in enumerate(coherence):
        for offset, name in ((-0.15, "snr_raw"), (0.15, "snr_sign")):
            values = per_seed(result, name)
            style = "o" if name == "snr_raw" else "s"
            right.plot(np.full(len(values), place + offset), values, style, markersize=4)
    right.set_xticks(range(len(coherence)), [TITLES[one.case.model] for one in coherence])
    right.set(ylabel="‖E g‖²/tr C (circles raw, squares polar)")
    right.axhline(0, color="0.6", linewidth=1)
    return figure


def _models(runs: Results) -> list[str]:
    return list(dict.fromkeys(result.case.model for result in runs))


def _band(axis: Axes, steps: np.ndarray, values: np.ndarray, label: str) -> None:
    """Mean over seeds with its 95 % interval."""
    mean = values.mean(1)
    margin = t_quantile(LEVEL, values.shape[1] - 1) * values.std(1, ddof=1) / values.shape[1] ** 0.5
    (line,) = axis.plot(steps, mean, label=label)
    axis.fill_between(
        steps, mean - margin, mean + margin, color=line.get_color(), alpha=0.2, linewidth=0
    )
