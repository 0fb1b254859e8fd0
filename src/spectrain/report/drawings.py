"""Figures of a run by name, each a function that draws into a Matplotlib axis.

    figure, axes = plt.subplots()
    DRAWINGS["loss"].draw(run, axes)

To add one, write a function and an entry in :data:`DRAWINGS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spectrain.answers import noise
from spectrain.answers.series import read_series
from spectrain.core import Block, InputError, Role, Source
from spectrain.page.curves import loss_curves
from spectrain.records import Run
from spectrain.report.figures import INCH_PER_ROW, draw_heatmap, draw_waterfall
from spectrain.report.grids import grid_rows

__all__ = [
    "DRAWINGS",
    "Drawing",
    "draw",
    "draw_loss",
    "draw_noise",
    "draw_norms",
    "draw_rank",
    "draw_ratio",
    "draw_spectrum",
    "save",
]

FORMATS = ("pdf", "svg", "png")


@dataclass(frozen=True, slots=True)
class Drawing:
    """One figure.

    Attributes:
        summary: what it shows, in a line.
        draw: draws a run into an axis; takes ``blocks``, those to show (all if ``None``).
        rows: whether it grows with the number of roles and layers.
    """

    summary: str
    draw: Callable[..., None]
    rows: bool = False


def draw_loss(run: Run, axes: Axes, *, blocks: Sequence[Block] | None = None) -> None:
    """Every logged loss over the steps, averaged so that at most 600 points are drawn.

    Raises:
        InputError: no loss was logged.
    """
    curves = loss_curves(run)
    if not curves:
        raise InputError(f"{run.path} has no logged loss", remedy="call run.log(loss=…)")
    for curve in curves:
        values = [float("nan") if value is None else value for value in curve.values]
        axes.plot(curve.steps, values, lw=1.2, label=_inert(curve.label))
    axes.set(xlabel="step", ylabel="loss")
    if len(curves) > 1:
        axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)


def draw_rank(run: Run, axes: Axes, *, blocks: Sequence[Block] | None = None) -> None:
    """Effective rank of the gradients over full rank, by role and layer.

    Raises:
        InputError: no gradient is recorded.
    """
    draw_heatmap(run, axes, "rank", blocks=blocks)


def draw_ratio(run: Run, axes: Axes, *, blocks: Sequence[Block] | None = None) -> None:
    """The criterion nr/st of spectral updates, by role and layer.

    Raises:
        InputError: gradients or inputs are not recorded.
    """
    draw_heatmap(run, axes, "descent", blocks=blocks)


def draw_spectrum(
    run: Run, axes: Axes, *, blocks: Sequence[Block] | None = None, source: Source | None = None
) -> None:
    """Singular values of one block through training: of the first that has spectra.

    Raises:
        InputError: no spectra are recorded.
    """
    chosen = run.blocks if blocks is None else blocks
    kinds = (Source.GRADIENT, Source.WEIGHT) if source is None else (source,)
    for kind in kinds:
        known = set(run.spectra(source=kind)["block"].unique())
        for block in chosen:
            if block.name in known:
                draw_waterfall(run, axes, block.name, source=kind)
                return
    raise InputError(f"{run.path} has no spectra of these blocks", remedy="see run.spectra()")


def draw_norms(
    run: Run,
    axes: Axes,
    *,
    blocks: Sequence[Block] | None = None,
    source: Source = Source.WEIGHT,
) -> None:
    """Frobenius norm, the median over the blocks of each role; logarithmic.

    Raises:
        InputError: none is recorded.
    """
    chosen = run.blocks if blocks is None else blocks
    roles = pl.DataFrame(
        {"block": [b.name for b in chosen], "role": [str(b.role) for b in chosen]},
        schema={"block": pl.String, "role": pl.String},
    )
    rows = read_series(run, source, "frobenius_norm").filter(pl.col("value") > 0)
    medians = rows.join(roles, on="block").group_by("role", "step").agg(pl.col("value").median())
    if medians.is_empty():
        raise InputError(f"{run.path} has no norms of the {source}", remedy="watch frobenius_norm")
    present = set(medians["role"])
    colors = mpl.colormaps["tab20"].colors  # type: ignore[attr-defined]
    for number, role in enumerate(str(role) for role in Role if str(role) in present):
        series = medians.filter(pl.col("role") == role).sort("step")
        color = colors[number % len(colors)]
        axes.plot(series["step"], series["value"], lw=1.2, label=role, color=color)
    axes.set(xlabel="step", ylabel=f"Frobenius norm of the {source}", yscale="log")
    axes.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    axes.spines[["top", "right"]].set_visible(False)


def draw_noise(run: Run, axes: Axes, *, blocks: Sequence[Block] | None = None) -> None:
    """Noise scale of each role's gradient with its 90 % interval, beside the batch of a step.

    Raises:
        InputError: no replicas of a gradient are recorded.
    """
    finding = noise(run, blocks=blocks)
    groups = [group for group in finding.groups if group.scale.noise_scale is not None]
    if not groups:
        raise InputError(
            f"{run.path} has no noise scale: {finding.sentence}", remedy=finding.action
        )
    names = ["all blocks" if group.network else str(group.role) for group in groups]
    for place, group in enumerate(groups):
        scale, value = group.scale, float(group.scale.noise_scale or 0.0)
        low = value if scale.low is None else scale.low
        high = value if scale.high is None else scale.high
        axes.plot([low, high], [place, place], color="#3f4fb5", lw=2)
        marker = ">" if scale.low is not None and scale.high is None else "o"
        axes.plot(value, place, marker, color="#3f4fb5", ms=5)
    batch = groups[0].scale.batch
    if batch is not None:
        axes.axvline(batch, color="#a85a14", lw=1, ls="--")
        axes.annotate("batch", (batch, 1), xycoords=("data", "axes fraction"), color="#a85a14")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set(xscale="log", xlabel=f"noise scale ({groups[0].scale.unit or 'replicas'})")
    axes.spines[["top", "right"]].set_visible(False)


DRAWINGS: dict[str, Drawing] = {
    "loss": Drawing("logged losses", draw_loss),
    "rank": Drawing("effective rank of the gradients, by role and layer", draw_rank, rows=True),
    "ratio": Drawing("nr/st, by role and layer", draw_ratio, rows=True),
    "spectrum": Drawing("singular values of one block through training", draw_spectrum),
    "norms": Drawing("norms of the weights, by role", draw_norms),
    "noise": Drawing("noise scale with its interval, by role", draw_noise),
}
"""Every figure by its name."""


def draw(name: str, run: Run, *, blocks: Sequence[Block] | None = None) -> Figure:
    """A figure of its own, for a paper's column.

    Raises:
        InputError: there is no figure of that name, or the run has nothing for it.

    Example:
        >>> import tempfile
        >>> from spectrain.core import Record
        >>> from spectrain.records import RunWriter, open_run
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     writer = RunWriter(folder, manifest={})
        ...     writer.write([Record(s, None, Source.TRAINING, "loss", 2.0 - s) for s in range(2)])
        ...     writer.close({})
        ...     draw("loss", open_run(folder)).axes[0].get_ylabel()
        'loss'
    """
    if name not in DRAWINGS:
        raise InputError(f"there is no figure {name!r}", remedy=f"choose among {_known()}")
    drawing = DRAWINGS[name]
    rows = len(grid_rows(run.blocks if blocks is None else blocks)) if drawing.rows else 0
    height = 1.2 + INCH_PER_ROW * rows if rows else 3.4
    figure = Figure(figsize=(5.5, height), layout="constrained")
    drawing.draw(run, figure.add_subplot(), blocks=blocks)
    return figure


def save(figure: Figure, path: Path) -> Path:
    """Write a figure in the format of the file's name; letters in a PDF stay letters.

    Raises:
        InputError: the format is none of pdf, svg and png, or the file cannot be written.
    """
    if path.suffix.lower().lstrip(".") not in FORMATS:
        raise InputError(f"{path.name} names no format", remedy=f"end it in .{', .'.join(FORMATS)}")
    settings: Any = {"pdf.fonttype": 42, "svg.fonttype": "none", "svg.hashsalt": ""}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with mpl.rc_context(settings):
            figure.savefig(path, dpi=200)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror or error}", remedy="choose another --out"
        ) from None
    return path


def _known() -> str:
    return ", ".join(DRAWINGS)


def _inert(text: str) -> str:
    """A text that Matplotlib does not take for mathematics."""
    return text.replace("$", r"\$")
