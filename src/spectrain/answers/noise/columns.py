"""The columns of the table of blocks on noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spectrain.answers.noise.row import VERDICTS
from spectrain.page.elements import verdict_chip
from spectrain.page.format import MISSING, number
from spectrain.page.table import Cell, Column, numeric
from spectrain.records import Run


def columns(run: Run) -> Sequence[Column[Any]]:
    """Verdict and noise scale."""
    return (
        Column("Noise", "whether a step's gradient is mostly noise", _verdict),
        Column("Noise scale", "batch size at which signal and noise are even", _scale),
    )


def _verdict(row: Any) -> Cell:
    chip = verdict_chip(row.verdict, VERDICTS[row.verdict].mark)
    return Cell(chip, str(row.verdict), row.reason)


def _scale(row: Any) -> Cell:
    unit = "" if row.noise_scale is None else f" {row.unit}"
    text = MISSING if row.noise_scale is None else number(row.noise_scale) + unit
    return numeric(text, row.noise_scale)
