"""The column of the table of blocks on the audit."""

from __future__ import annotations

from collections.abc import Sequence

from spectrain.answers.audit.row import VERDICTS, AuditRow, Verdict
from spectrain.answers.question import Concern
from spectrain.page.elements import verdict_chip
from spectrain.page.format import MISSING
from spectrain.page.table import Cell, Column
from spectrain.records import Run


def columns(run: Run) -> Sequence[Column[AuditRow]]:
    """The verdict, where an optimizer promises orthogonal updates."""
    return (Column("Update", "whether it is orthogonal where its optimizer means it so", _verdict),)


def concern(row: AuditRow) -> Concern | None:
    """Updates that are not what their optimizer intends."""
    if row.verdict in (Verdict.NOT_ORTHOGONAL, Verdict.SHRUNK):
        return Concern(2, f"update {row.verdict}")
    return None


def _verdict(row: AuditRow) -> Cell:
    if row.verdict is Verdict.NOT_MEANT:
        return Cell(MISSING, None, row.reason)
    chip = verdict_chip(row.verdict, VERDICTS[row.verdict].mark)
    return Cell(chip, str(row.verdict), row.reason)
