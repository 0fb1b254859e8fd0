"""Figures 2 and 5–10 on the GPT, and the race."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spectrain_studies.descent.config import Config
from spectrain_studies.descent.drawing import EUCLIDEAN, RANK, SPECTRAL, panels
from spectrain_studies.descent.gpt.claims import of_roles, tables
from spectrain_studies.descent.gpt.experiment import COURSES, MARGINS
from spectrain_studies.descent.race.claims import gains, margins
from spectrain_studies.descent.race.experiment import ARMS, GATED_ARMS
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import Results

DEPTHS = ("#14525a", "#a85a14", "#7a4fa0", "#3f8f3f", "#b03050", "#5a5a5a")
MARKERS = {
    **{"attention.q": "o", "attention.k": "s", "attention.v": "^", "attention.o": "v"},
    **{"mlp.in": "P", "mlp.out": "X", "embedding": "D", "head": "*", "value embedding": "p"},
}


def _lines(
    axes: Axes, courses: Results, values: list[np.ndarray], label: str, linestyle: str = "-"
) -> None:
    """Mean over seeds, one line a block, coloured by layer."""
    for layer, path in enumerate(np.mean(values, axis=0).T):
        axes.plot(
            courses[0]["steps"],
            path,
            color=DEPTHS[layer % len(DEPTHS)],
            label=f"{label}layer {layer}",
            linestyle=linestyle,
        )


def _finish(axes: Axes, title: str, *, ylabel: str) -> None:
    """Labels, and a legend above the curves."""
    top = max(float(np.max(line.get_ydata())) for line in axes.get_lines())
    axes.set(title=title, xlabel="step", ylabel=ylabel, ylim=(0, 1.35 * top))
    axes.legend(fontsize=7, frameon=False, ncols=2, loc="upper left")


@STUDY.figure(
    "fig2-fig6",
    caption="The GPT under Muon: stable ranks of the MLP's activations after (solid) and before "
    "(dashed) the activation function, of RMS-normalized activations, of the token indicator and "
    "of the embedded tokens; means over seeds.",
    needs=[COURSES],
)
def stable_ranks(config: Config, courses: Results) -> Figure:
    figure, axes = panels(2, 2)
    _lines(axes[0], courses, [r["after"] for r in courses], "after, ")
    _lines(axes[0], courses, [r["before"] for r in courses], "before, ", linestyle="--")
    _finish(axes[0], "Figure 2: MLP activations", ylabel="stable rank")
    for place, role, title in (
        (axes[1], "attention.q", "Figure 6: before attention"),
        (axes[2], "mlp.in", "Figure 6: before the MLP; head dashed"),
    ):
        _lines(place, courses, [of_roles(r, "stable_rank", role) for r in courses], "")
        if role == "mlp.in":
            head = np.mean([of_roles(r, "stable_rank", "head")[:, 0] for r in courses], axis=0)
            place.plot(courses[0]["steps"], head, "--", color=RANK, label="before the head")
        _finish(place, title, ylabel="stable rank")
    steps = courses[0]["steps"]
    for name, label, color in (
        ("indicator", "token indicator", EUCLIDEAN),
        ("embedding", "embedded tokens", SPECTRAL),
    ):
        axes[3].plot(steps, np.mean([r[name] for r in courses], axis=0), color=color, label=label)
    _finish(axes[3], "Figure 10: tokens", ylabel="stable rank")
    return figure


@STUDY.figure(
    "fig5-fig9",
    caption="The GPT under Muon: nuclear ranks of the gradients of MLP, query and key, value and "
    "output matrices by layer, of embedding, value embeddings and head; means over seeds.",
    needs=[COURSES],
)
def nuclear_ranks(config: Config, courses: Results) -> Figure:
    figure, axes = panels(2, 2)
    for place, (solid, dashed), title in (
        (axes[0], ("mlp.in", "mlp.out"), "Figure 5: W₁ solid, W₂ dashed"),
        (axes[1], ("attention.q", "attention.k"), "Figure 8: q solid, k dashed"),
        (axes[2], ("attention.v", "attention.o"), "Figure 9: v solid, o dashed"),
    ):
        for role, style in ((solid, "-"), (dashed, "--")):
            values = [of_roles(r, "nuclear_rank", role) for r in courses]
            label = f"{role.rpartition('.')[2]}, "
            _lines(place, courses, values, label, linestyle=style)
        _finish(place, title, ylabel="nuclear rank")
    steps = courses[0]["steps"]
    head = np.mean([of_roles(r, "nuclear_rank", "head")[:, 0] for r in courses], axis=0)
    axes[3].plot(steps, head, color=DEPTHS[0], label="head")
    for added, label, color in (
        (False, "embedding", DEPTHS[1]),
        (True, "value embedding", DEPTHS[2]),
    ):
        path = np.mean(
            [r["nuclear_rank"][:, tables(r, values=added)].mean(1) for r in courses], axis=0
        )
        axes[3].plot(steps, path, color=color, label=label)
    _finish(axes[3], "Figure 7: tables and head", ylabel="nuclear rank")
    return figure


@STUDY.figure(
    "margin-against-gain",
    caption="Every block of the GPT: the margin nr/st under AdamW against the gain in held-out "
    "loss, Muon over AdamW and SpecGD over gradient descent on that block alone, tuned rates; "
    "bars are standard errors over seeds, marks roles, filled ones the first layer.",
    needs=[MARGINS, ARMS],
)
def margin_against_gain(config: Config, found: Results, arms: Results) -> Figure:
    figure, axes = panels(1, 2, wide=4.8, high=3.8)
    ticks = (0.25, 0.5, 1, 2, 3, 4, 6, 8, 16, 32)
    x = {name: float(np.exp(value)) for name, value in margins(found).items()}
    roles = dict(zip(map(str, found[0]["names"]), map(str, found[0]["roles"]), strict=True))
    depths = dict(zip(map(str, found[0]["names"]), found[0]["depths"], strict=True))
    titles = {"muon": "Muon over AdamW", "clean": "SpecGD over gradient descent"}
    for place, (kind, values) in zip(axes, gains(arms).items(), strict=True):
        told: set[str] = set()
        for name, gain in values.items():
            role = "value embedding" if name.startswith("value_emb") else roles[name]
            place.errorbar(
                x[name],
                gain.mean(),
                gain.std(ddof=1) / len(gain) ** 0.5,
                marker=MARKERS[role],
                ms=7,
                lw=0.8,
                color=DEPTHS[list(MARKERS).index(role) % len(DEPTHS)],
                mfc=None if depths[name] <= 0 else "white",
                linestyle="none",
                label=None if role in told else role,
            )
            told.add(role)
        place.axhline(0, color=RANK, lw=0.6)
        place.axvline(1, color=RANK, lw=0.6, ls=":")
        place.set(xscale="log", xlabel="nr(∇L)/st(A)", ylabel="gain, nats", title=titles[kind])
        low, high = place.get_xlim()
        shown = [tick for tick in ticks if low <= tick <= high]
        place.set_xticks(shown, [f"{tick:g}" for tick in shown])
        place.minorticks_off()
    axes[1].legend(fontsize=7, frameon=False)
    return figure


@STUDY.figure(
    "routings",
    caption="Held-out loss after training by routing, tuned rates: AdamW on everything, Muon on "
    "mlp.out alone, on all matrices inside the blocks, by advice with open blocks as usual, and "
    "only where advice is sure. Points are seeds.",
    needs=[ARMS, GATED_ARMS],
)
def routings(config: Config, arms: Results, gated: Results) -> Figure:
    figure, axes = panels(1, 2)
    axes[1].sharey(axes[0])
    names = {
        "adamw": "AdamW",
        "out": "Muon on\nmlp.out",
        "usual": "Muon on all\ninside",
        "plan": "advice",
        "decided": "advice,\nif sure",
    }
    for place, results, title in ((axes[0], arms, "ReLU²"), (axes[1], gated, "SwiGLU")):
        shown = [arm for arm in names if len(results.where(arm=arm))]
        for index, arm in enumerate(shown):
            losses = results.where(arm=arm).only()["losses"]
            place.plot(np.full(len(losses), index), losses, "o", ms=4, color=RANK, alpha=0.7)
            place.plot(index, losses.mean(), "_", ms=24, mew=2, color=SPECTRAL)
        place.set_xticks(range(len(shown)), [names[arm] for arm in shown], fontsize=7)
        place.set(
            title=title, ylabel="held-out loss, nats a character", xlim=(-0.6, len(shown) - 0.4)
        )
    return figure
