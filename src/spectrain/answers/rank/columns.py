"""The columns of the table of blocks on rank, and the rank by role."""

from __future__ import annotations

from collections.abc import Sequence

from spectrain.answers.question import Concern
from spectrain.answers.rank.health import State
from spectrain.answers.rank.row import VERDICTS, RankGroup, RankRow, Verdict
from spectrain.page.elements import verdict_chip
from spectrain.page.format import MISSING, percent
from spectrain.page.table import Cell, Column, numeric
from spectrain.records import Run


def columns(run: Run) -> Sequence[Column[RankRow]]:
    """Verdict, and rank early and late."""
    return (
        Column("Gradient rank", "whether its effective rank falls or rises", _verdict),
        Column(
            "Early → late",
            "effective rank as a share of full rank, first and last third",
            lambda row: numeric(_change(row), row.late),
        ),
    )


_ILL = {
    State.NOT_FINITE: "gradient not finite",
    State.DEAD: "gradient vanished",
    State.EXPLODING: "gradient explodes",
}


def concern(row: RankRow) -> Concern | None:
    """Gradients that are ill, or lose rank."""
    if row.state in _ILL:
        return Concern(2, _ILL[row.state])
    return Concern(1, "gradient rank falls") if row.verdict is Verdict.FALLING else None


def by_role(group: RankGroup) -> str:
    """The rank of a role in a comparison."""
    return MISSING if group.early is None else f"{_change(group)} {group.verdict}"


def _change(row: RankRow | RankGroup) -> str:
    return MISSING if row.early is None else f"{percent(row.early)} → {percent(row.late)}"


def _verdict(row: RankRow) -> Cell:
    chip = verdict_chip(row.verdict, VERDICTS[row.verdict].mark)
    return Cell(chip, str(row.verdict), row.reason)
