"""The page's heatmaps and waterfall as Matplotlib figures, for papers.

Save one with ``figure.savefig("rank.pdf")``; a vector format or PNG, by the name.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from spectrain.core import Block, InputError, Source
from spectrain.page.format import label
from spectrain.records import Run
from spectrain.report.grids import Grid, Row, grid_rows, read_grids
from spectrain.report.waterfall import keep_slices

INCH_PER_ROW = 0.13
SLICES, DECADES, PITCH = 24, 3.5, 0.5
_COLORS = {
    "share": [(0.0, "#f3f1ea"), (0.5, "#8fb8b5"), (1.0, "#14525a")],
    "ratio": [(0.0, "#a85a14"), (3 / 8, "#f1eee6"), (5 / 8, "#f1eee6"), (1.0, "#3f4fb5")],
    "decades": [(0.0, "#f3f1ea"), (0.5, "#c994a9"), (1.0, "#6a1b3f")],
}


def heatmap(run: Run, key: str, *, blocks: Sequence[Block] | None = None) -> Figure:
    """Role × depth through training.

    Args:
        run: an open run.
        key: ``"rank"`` (effective rank of the gradient over full rank), ``"descent"`` (nr/st) or
            ``"update"`` (relative update).
        blocks: the blocks to show; all if not given.

    Raises:
        InputError: there is no such heatmap, or nothing of it is recorded.
    """
    rows = len(grid_rows(run.blocks if blocks is None else blocks))
    figure = Figure(figsize=(5.5, 1.2 + INCH_PER_ROW * rows), layout="constrained")
    draw_heatmap(run, figure.add_subplot(), key, blocks=blocks)
    return figure


def draw_heatmap(run: Run, axes: Axes, key: str, *, blocks: Sequence[Block] | None = None) -> None:
    """Draw :func:`heatmap` into an axis, its colour bar beside it.

    Raises:
        InputError: there is no such heatmap, or nothing of it is recorded.
    """
    chosen = run.blocks if blocks is None else blocks
    grids, rows = {grid.key: grid for grid in read_grids(run, chosen)}, grid_rows(chosen)
    if key not in grids:
        raise InputError(f"there is no heatmap {key!r}", remedy=f"choose among {', '.join(grids)}")
    grid = grids[key]
    if not grid.steps:
        raise InputError(f"{run.path} has no records for {key!r}", remedy="watch these measures")
    values = np.array(grid.values, dtype=float)
    mesh = axes.pcolormesh(
        _edges(grid.steps),
        np.arange(len(rows) + 1),
        np.ma.masked_invalid(values),
        cmap=LinearSegmentedColormap.from_list(grid.scale, _COLORS[grid.scale]),
        norm=_norm(grid),
    )
    axes.invert_yaxis()
    _label_roles(axes, rows)
    axes.set_xlabel("step")
    bar = axes.get_figure(root=False).colorbar(mesh, ax=axes, pad=0.02)  # type: ignore[union-attr]
    bar.set_label(f"{grid.title} {grid.unit}")
    if grid.scale == "ratio":
        bar.set_ticks([1 / 16, 1 / 2, 2, 16], labels=["1/16", "½", "2", "16"], minor=False)
        bar.minorticks_off()
    bar.outline.set_visible(False)


def waterfall(run: Run, block: str, *, source: Source = Source.GRADIENT) -> Figure:
    """Singular values of one block through training, relative to the largest of their step.

    Args:
        run: an open run.
        block: its name.
        source: gradient, update, direction or weight.

    Raises:
        InputError: no spectra of it are recorded.
    """
    figure = Figure(figsize=(5.5, 4.2), layout="constrained")
    draw_waterfall(run, figure.add_subplot(), block, source=source)
    return figure


def draw_waterfall(run: Run, axes: Axes, block: str, *, source: Source = Source.GRADIENT) -> None:
    """Draw :func:`waterfall` into an axis.

    Raises:
        InputError: no spectra of it are recorded.
    """
    rows = run.spectra(source=source, block=block).sort("step")
    rows = rows.filter(rows["values"].list.max() > 0)
    if rows.is_empty():
        raise InputError(
            f"{run.path} has no spectra of the {source} of {block!r}",
            remedy="see run.spectra() for those it has",
        )
    rows = rows[keep_slices(rows.height, SLICES)]
    ramp = LinearSegmentedColormap.from_list("time", ["#c9c6bd", "#3f4fb5"])
    tops = PITCH * np.arange(rows.height)[::-1]
    for place, (values, top) in enumerate(zip(rows["values"], tops, strict=True)):
        spectrum = np.asarray(values, dtype=float)
        spectrum = spectrum[spectrum > spectrum[0] * 10**-DECADES]
        index, height = np.arange(1, len(spectrum) + 1), np.log10(spectrum / spectrum[0]) + top
        lowest = height[-1]
        axes.fill_between(index, height, top - DECADES, color="white", zorder=place)
        axes.plot(index, height, color=ramp(place / max(rows.height - 1, 1)), lw=1, zorder=place)
    marked = slice(None, None, -(-rows.height // 8))
    axes.set_yticks(
        tops[::-1][marked], [f"{step:,}" for step in rows["step"].to_list()[::-1][marked]]
    )
    axes.set(xscale="log", xlabel="index of the singular value", ylabel="step")
    axes.set_ylim(bottom=lowest - PITCH / 2)
    axes.set_title(f"{label(source)} of {block}", loc="left", fontsize="medium", parse_math=False)
    axes.spines[["left", "top", "right"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _norm(grid: Grid) -> Normalize:
    if grid.scale == "share":
        return Normalize(0, 1)
    return LogNorm(1 / 16, 16) if grid.scale == "ratio" else LogNorm()


def _edges(steps: Sequence[int]) -> NDArray[np.float64]:
    """Halfway between samples."""
    at = np.asarray(steps, dtype=float)
    inner = (at[1:] + at[:-1]) / 2
    first, last = (inner[0] - at[0], at[-1] - inner[-1]) if len(inner) else (0.5, 0.5)
    return np.concatenate([[at[0] - first], inner, [at[-1] + last]])


def _label_roles(axes: Axes, rows: Sequence[Row]) -> None:
    roles = [row.role for row in rows]
    starts = [place for place, role in enumerate(roles) if not place or role != roles[place - 1]]
    ends = [*starts[1:], len(rows)]
    centres = [(start + end) / 2 for start, end in zip(starts, ends, strict=True)]
    axes.set_yticks(centres, [roles[start] for start in starts])
    axes.tick_params(axis="y", length=0)
    for start in starts[1:]:
        axes.axhline(start, color="white", lw=2)
    axes.spines[:].set_visible(False)
