"""What both steps really gained, from the records of :func:`spectrain.measure_steps`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from spectrain.core import Source
from spectrain.records import Run


@dataclass(frozen=True, slots=True)
class MeasuredStep:
    """Both steps of one block, at the last step that was measured.

    Attributes:
        step: that step.
        spectral: decrease of the loss along the spectral step.
        euclidean: decrease along the Euclidean step.
    """

    step: int
    spectral: float
    euclidean: float

    @property
    def ratio(self) -> float | None:
        """Δ_spectral/Δ_euclidean; ``None`` where the Euclidean step gained nothing."""
        return self.spectral / self.euclidean if self.euclidean > 0 else None


def read_measured(run: Run) -> Mapping[str, MeasuredStep]:
    """The last measurement of every block; empty where nothing was measured."""
    rows = run.metrics(source=Source.REALISED).filter(pl.col("value").is_finite())
    by_block = {}
    for (name,), series in rows.group_by("block"):
        last = series.filter(pl.col("step") == pl.col("step").max())
        values = dict(last.select("measure", "value").iter_rows())
        if {"decrease_spectral", "decrease_euclidean"} <= values.keys():
            spectral, euclidean = values["decrease_spectral"], values["decrease_euclidean"]
            by_block[str(name)] = MeasuredStep(int(last["step"][0]), spectral, euclidean)
    return by_block
