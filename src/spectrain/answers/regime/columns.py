"""The columns of the table of blocks on regime."""

from __future__ import annotations

from collections.abc import Sequence

from spectrain.answers.regime.row import VERDICTS, RegimeRow
from spectrain.page.elements import verdict_chip
from spectrain.page.format import number
from spectrain.page.table import Cell, Column, numeric
from spectrain.records import Run


def columns(run: Run) -> Sequence[Column[RegimeRow]]:
    """Verdict and norm over the twin's."""
    return (
        Column(
            "Regime",
            "what sets the scale: noise and weight decay, the loss, or the signal",
            _verdict,
        ),
        Column(
            "Norm / twin",
            "late in the run, over that of the noise twin from the same first weights",
            lambda row: numeric(number(row.ratio), row.ratio),
        ),
    )


def _verdict(row: RegimeRow) -> Cell:
    chip = verdict_chip(row.verdict, VERDICTS[row.verdict].mark)
    return Cell(chip, str(row.verdict), row.reason)
