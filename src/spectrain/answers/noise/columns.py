"""The columns of the table of blocks on noise."""

from __future__ import annotations

from collections.abc import Sequence

from spectrain.answers.noise.row import VERDICTS, NoiseRow
from spectrain.answers.noise.words import number
from spectrain.page.elements import verdict_chip
from spectrain.page.format import MISSING
from spectrain.page.table import Cell, Column, numeric, text
from spectrain.records import Run


def columns(run: Run) -> Sequence[Column[NoiseRow]]:
    """Verdict, noise scale, signal directions and kind of noise."""
    return (
        Column("Noise", "whether a step's gradient is mostly noise", _verdict),
        Column("Noise scale", "batch size at which signal and noise are even, for SGD", _scale),
        Column(
            "Signal directions",
            "leading singular directions of the gradient that are more than chance, at 5 % a block",
            _signal,
        ),
        Column("Kind of noise", "what more than half of the samples show", _kind),
    )


def _verdict(row: NoiseRow) -> Cell:
    chip = verdict_chip(row.verdict, VERDICTS[row.verdict].mark)
    return Cell(chip, str(row.verdict), row.reason)


def _scale(row: NoiseRow) -> Cell:
    text = MISSING if row.noise_scale is None else f"{number(row.noise_scale)} {row.unit}"
    return numeric(text, row.noise_scale)


def _signal(row: NoiseRow) -> Cell:
    if row.signal_directions is None:
        return numeric(MISSING, None)
    spread = "" if row.signal_error is None else f" ± {number(row.signal_error)}"
    each = "" if row.signal_mean is None else f"; {number(row.signal_mean)}{spread} in a sample"
    text = f"{row.signal_directions} of {row.directions}{each}"
    return numeric(text, row.signal_directions)


def _kind(row: NoiseRow) -> Cell:
    return text(MISSING if row.kind is None else str(row.kind))
