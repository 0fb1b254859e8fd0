"""What an earlier inspection that was cut short has left in its folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from spectrain.core import InputError, Record, Source, SpectrumRecord
from spectrain.records import open_run

MARK = "inspection"
"""Key of the manifest's config that holds the fingerprint of what is inspected."""


@dataclass(frozen=True, slots=True)
class Done:
    """Blocks that need no second look.

    Attributes:
        blocks: (step, block) pairs.
        records: their numbers.
        spectra: their spectra, in the float32 of the file.
        exists: whether the folder holds a run at all.
    """

    blocks: frozenset[tuple[int, str]] = frozenset()
    records: list[Record] = field(default_factory=list)
    spectra: list[SpectrumRecord] = field(default_factory=list)
    exists: bool = False


def read_done(folder: Path, mark: str) -> Done:
    """The finished blocks in a folder: those with numbers and a spectrum.

    Args:
        folder: of the records.
        mark: fingerprint of what is to be inspected.

    Raises:
        InputError: the folder holds the records of something else.
    """
    if not (folder / "manifest.json").exists():
        return Done()
    run = open_run(folder)
    if run.manifest["config"].get(MARK) != mark:
        raise InputError(
            f"{str(folder)!r} holds the records of something else, or of other settings",
            remedy="choose another folder, or delete this one",
        )
    key = ["step", "block"]
    spectra = run.spectra()
    done = spectra.select(key).join(run.metrics().select(key).unique(), on=key, how="semi")
    metrics = run.metrics().join(done, on=key, how="semi", maintain_order="left")
    spectra = spectra.join(done, on=key, how="semi", maintain_order="left")
    return Done(frozenset(done.iter_rows()), _records(metrics), _spectra(spectra), exists=True)


def _records(metrics: pl.DataFrame) -> list[Record]:
    return [
        Record(
            row["step"],
            row["block"],
            Source(row["source"]),
            row["measure"],
            row["value"],
            row["error"],
            row["count"],
            row["reason"],
            row["index"],
        )
        for row in metrics.iter_rows(named=True)
    ]


def _spectra(spectra: pl.DataFrame) -> list[SpectrumRecord]:
    return [
        SpectrumRecord(
            row["step"],
            row["block"],
            Source(row["source"]),
            np.array(row["values"], dtype=np.float32),
            row["method"],
            row["error"],
            row["count"],
            row["reason"],
        )
        for row in spectra.iter_rows(named=True)
    ]
