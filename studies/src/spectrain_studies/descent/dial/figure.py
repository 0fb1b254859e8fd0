"""The dials of the stable rank."""

from __future__ import annotations

from matplotlib.figure import Figure

from spectrain_studies.descent.config import Config
from spectrain_studies.descent.dial.experiment import COLUMNS, DIAL
from spectrain_studies.descent.drawing import EUCLIDEAN, RANK, SPECTRAL, finish, panels
from spectrain_studies.descent.statistics import by_size, sizes_of
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import Results


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
    for step, style in ((0, ":"), (1, "-")):
        course = chosen.stack("gains")[:, step]
        gains.plot(stable, course, color=SPECTRAL, ls=style, marker="o", label=f"step {step}")
    gains.axhline(1, color=RANK, lw=0.6)
    for activation, label, color in (("relu", "ReLU", EUCLIDEAN), ("swiglu", "SwiGLU", SPECTRAL)):
        ranks = by_size(columns.where(activation=activation), "columns", "stable_rank").mean(1)
        counts.plot(sizes_of(columns, "columns"), ranks, color=color, marker="o", label=label)
    for axes, xlabel, ylabel in (
        (losses, "st(A)", "last loss"),
        (gains, "st(A)", "Δ spectral / Δ Euclidean"),
        (counts, "columns", "stable rank"),
    ):
        finish(axes, xlabel=xlabel, ylabel=ylabel, xscale="log", yscale="log")
    return figure
