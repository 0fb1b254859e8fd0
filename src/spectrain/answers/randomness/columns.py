"""The columns of the table of blocks on randomness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spectrain.answers.randomness.words import VERDICTS
from spectrain.page.elements import verdict_chip
from spectrain.page.format import MISSING, percent
from spectrain.page.table import Cell, Column, numeric
from spectrain.records import Run


def columns(run: Run) -> Sequence[Column[Any]]:
    """Class of the spectrum and share of the bulk."""
    return (
        Column("Spectrum", "what it is beside a random bulk", _tail),
        Column(
            "Random bulk",
            "share of the eigenvalues that belong to it",
            lambda row: numeric(percent(row.bulk_fraction), row.bulk_fraction),
        ),
    )


def _tail(row: Any) -> Cell:
    if row.tail is None:
        return Cell(MISSING, None, row.reason)
    return Cell(verdict_chip(row.tail, VERDICTS[row.tail].mark), str(row.tail))
