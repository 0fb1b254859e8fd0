"""The columns of the table of blocks on randomness."""

from __future__ import annotations

from collections.abc import Sequence

from spectrain.answers.randomness.row import VERDICTS, RandomnessRow
from spectrain.page.elements import verdict_chip
from spectrain.page.format import percent
from spectrain.page.table import Cell, Column, numeric
from spectrain.records import Run


def columns(run: Run) -> Sequence[Column[RandomnessRow]]:
    """Class of the spectrum and share of the bulk."""
    return (
        Column("Spectrum", "what it is beside a random bulk", spectrum_cell),
        Column("Random bulk", "share of the eigenvalues that belong to it", bulk_cell),
    )


def spectrum_cell(row: RandomnessRow) -> Cell:
    """The class of the spectrum."""
    chip = verdict_chip(row.verdict, VERDICTS[row.verdict].mark)
    return Cell(chip, str(row.verdict), row.reason)


def bulk_cell(row: RandomnessRow) -> Cell:
    """The share of the bulk."""
    return numeric(percent(row.bulk_fraction), row.bulk_fraction)
