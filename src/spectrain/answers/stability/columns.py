"""The columns of the table of blocks on stability."""

from __future__ import annotations

from collections.abc import Sequence

from spectrain.answers.question import Concern
from spectrain.answers.stability.row import VERDICTS, StabilityRow, Verdict
from spectrain.answers.stability.words import passing
from spectrain.page.elements import verdict_chip
from spectrain.page.format import number
from spectrain.page.table import Cell, Column, numeric
from spectrain.records import Run


def concern(row: StabilityRow) -> Concern | None:
    """What passes its limit, or grows towards it."""
    if row.verdict is Verdict.ALARM:
        return Concern(2, "stability: alarm")
    return Concern(1, "grows towards a limit") if row.verdict is Verdict.GROWING else None


def columns(run: Run) -> Sequence[Column[StabilityRow]]:
    """Verdict, and the pace for its shape."""
    return (
        Column("Stability", "whether something in it grows towards a limit", _verdict),
        Column(
            "Pace",
            "‖ΔW x‖/‖x‖ (root mean squares) over that of the median block",
            lambda row: numeric(number(row.pace_ratio, 2), row.pace_ratio),
        ),
    )


def _verdict(row: StabilityRow) -> Cell:
    chip = verdict_chip(row.verdict, VERDICTS[row.verdict].mark)
    course = "" if row.course is None else f"{row.course.indicator} {passing(row.course)}".strip()
    return Cell(chip, str(row.verdict), row.reason or course)
