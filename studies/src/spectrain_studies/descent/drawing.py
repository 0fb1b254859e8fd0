"""How figures of this study look: a grid of axes, colours, legends."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

EUCLIDEAN, SPECTRAL, RESTART, RANK, MUON = "#14525a", "#a85a14", "#c9a27a", "#8a8a8a", "#7a3b8f"
INK = (EUCLIDEAN, SPECTRAL, "#5b3f8c", "#2f7d32", "#9c2f55", RANK, "#3f4fb5")
STYLES = ("-", "--", ":", "-.")


def panels(
    rows: int, columns: int, *, wide: float = 4.4, high: float = 3.2
) -> tuple[Figure, list[Axes]]:
    """A grid of axes, row by row."""
    figure = Figure(figsize=(wide * columns, high * rows), layout="constrained")
    return figure, list(np.atleast_1d(figure.subplots(rows, columns)).ravel())


def finish(axes: Axes, *, legend: bool = True, at: Iterable[float] = (), **properties: Any) -> None:
    """Labels, scales, a small legend, and where given the only ticks of x."""
    axes.set(**properties)
    if ticks := [float(tick) for tick in at]:
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
    if legend:
        axes.legend(fontsize=7, frameon=False)
