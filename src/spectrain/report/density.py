"""The eigenvalues of a block as a figure: their density, the random bulk, the power-law tail."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from spectrain.checkpoint.weightwatcher.bulk import fit_bulk
from spectrain.checkpoint.weightwatcher.tail import LEAST_EIGENVALUE, fit_tail
from spectrain.core import Block, InputError
from spectrain.records import Run

BINS = 100
_BULK, _TAIL = "#3f4fb5", "#a85a14"


def eigenvalue_figure(run: Run, block: Block, step: int | None = None) -> Figure:
    """The density of λ = σ² of a block in logarithmic bins.

    A line marks the upper edge of the Marchenko-Pastur bulk and the start of the tail, as
    WeightWatcher defines them; the fitted law λ^(−α) is drawn over the tail.

    Args:
        run: of an inspection.
        block: one of its blocks.
        step: of the checkpoint; the last if not given.

    Raises:
        InputError: the singular values of the block are not recorded.
    """
    spectra = run.spectra(block=block.name)
    chosen = spectra["step"].max() if step is None else step
    rows = spectra.filter(step=chosen)["values"].to_list()
    values = np.asarray(rows[0] if rows else (), dtype=np.float64) ** 2
    kept = np.sort(values[values > LEAST_EIGENVALUE])
    if not kept.size or not np.isfinite(kept).all():
        raise InputError(
            f"the singular values of {block.name!r} are not recorded",
            remedy="inspect it with --exact, and look for what is said of it",
        )
    figure = Figure(figsize=(5.5, 3.4), layout="constrained")
    axes = figure.add_subplot()
    edges = np.geomspace(kept[0], kept[-1] * (1 + 1e-9), BINS + 1)
    axes.stairs(np.histogram(kept, edges, density=True)[0], edges, fill=True, color="#c9c4b6")
    for text, color, place, line in _fits(values, kept, block):
        axes.axvline(place, color=color, linewidth=1, label=text)
        if line is not None:
            axes.plot(*line, color=color, linewidth=1.5, linestyle="--")
    axes.set(xscale="log", yscale="log", xlabel="λ = σ²", ylabel="density")
    axes.set_title(_shown(block.name), fontsize="small")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize="small", frameon=False)
    return figure


def write_eigenvalue_figures(run: Run, folder: str | os.PathLike[str]) -> list[Path]:
    """Write the figure of every block whose singular values are recorded, as PNG.

    Args:
        run: of an inspection.
        folder: for the files; made if need be.

    Returns:
        The files. Their names are the numbers and names of the blocks, without what a file system
        may not like.

    Raises:
        InputError: the folder cannot be written.
    """
    place, written = Path(folder), []
    try:
        place.mkdir(parents=True, exist_ok=True)
        for number, block in enumerate(run.blocks):
            try:
                figure = eigenvalue_figure(run, block)
            except InputError:
                continue
            name = re.sub(r"[^A-Za-z0-9._-]+", "_", block.name)[-100:].strip(".")
            written.append(place / f"{number:04d}-{name}.png")
            figure.savefig(written[-1], dpi=120)
    except OSError as error:
        raise InputError(
            f"{str(place)!r} cannot be written: {error.strerror}", remedy="check the path"
        ) from None
    return written


Line = tuple[Float[np.ndarray, " p"], Float[np.ndarray, " p"]]


def _fits(
    values: Float[np.ndarray, " n"], kept: Float[np.ndarray, " k"], block: Block
) -> Iterator[tuple[str, str, float, Line | None]]:
    """What to mark: its words, colour and place, and a line over it."""
    try:
        bulk = fit_bulk(values, max(block.shape), min(block.shape))
        yield f"bulk up to {bulk.edges[1]:.3g}", _BULK, bulk.edges[1], None
    except InputError:
        pass
    try:
        tail = fit_tail(kept)
    except InputError:
        return
    x = np.geomspace(tail.start, tail.end, 50)
    share = tail.count / kept.size
    density = share * (tail.alpha - 1) / tail.start * (x / tail.start) ** -tail.alpha
    yield f"tail: α = {tail.alpha:.2f} ± {tail.error:.2f}", _TAIL, tail.start, (x, density)


def _shown(name: str) -> str:
    """A name without characters that Matplotlib or a terminal would obey."""
    text = "".join(part if part.isprintable() else "�" for part in name)[-80:]
    return text.replace("$", r"\$")
