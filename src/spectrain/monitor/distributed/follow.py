"""A dashboard of a run that several processes write: fed from the run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from spectrain.core import Record, Sink, Source, SpectrumRecord
from spectrain.records import open_run


class Follower:
    """Hands a sink what all ranks have put on disk, each step once and whole.

    No process sees all blocks. At every flush the rows of the steps that every rank is past are
    read from the folder; at the end, whatever is there.

    Args:
        sink: what to feed.
        path: the run folder.
        processes: number of ranks that write into it.
        start_step: steps before it are not shown again.
    """

    def __init__(self, sink: Sink, path: Path, processes: int, start_step: int) -> None:
        self._sink, self._path, self._processes = sink, path, processes
        self._next = start_step

    def write(self, records: Sequence[Record]) -> None:
        """Nothing: the folder has them."""

    def write_spectra(self, spectra: Sequence[SpectrumRecord]) -> None:
        """Nothing."""

    def flush(self) -> None:
        """Hand on the steps that are complete."""
        rows = open_run(self._path).metrics().filter(pl.col("step") >= self._next)
        last = rows.group_by("rank").agg(pl.max("step"))
        if len(last) == self._processes:
            self._pass_on(rows.filter(pl.col("step") < last["step"].min()))

    def close(self, summary: Mapping[str, Any]) -> None:
        """Hand on the rest."""
        self._pass_on(open_run(self._path).metrics().filter(pl.col("step") >= self._next))
        self._sink.close(summary)

    def _pass_on(self, rows: pl.DataFrame) -> None:
        if rows.is_empty():
            return
        names = ("step", "block", "source", "measure", "value", "error", "count", "reason", "index")
        self._sink.write(
            [
                Record(step, block, Source(source), *rest)
                for step, block, source, *rest in rows.select(names).iter_rows()
            ]
        )
        self._next = int(rows["step"].max()) + 1  # type: ignore[arg-type]
