"""Runs side by side: losses at equal steps, gradient ranks and descent ratios by role."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from spectrain.answers import QUESTIONS, Finding, diagnose
from spectrain.answers.rank.finding import read_shares
from spectrain.answers.series import last_step, read_series
from spectrain.core import Block, InputError, Role, Source
from spectrain.page.curves import Curve, thinned
from spectrain.records import Run

WINDOW = 0.05
"""A loss at a step is the mean over this share of the steps before it."""

_PARTS = (0.25, 0.5, 1.0)
_ROLES = [str(role) for role in Role]


@dataclass(frozen=True, slots=True)
class Loss:
    """A logged loss at one step: mean of the last logged values, with its standard error.

    The error is ``None`` where the mean is of one value.
    """

    value: float
    error: float | None


@dataclass(frozen=True, slots=True)
class LossRow:
    """One loss at a step that all runs have reached; ``None`` for a run that did not log it."""

    measure: str
    step: int
    losses: list[Loss | None]


@dataclass(frozen=True, slots=True)
class RoleRow:
    """What one question says of one role in all runs; ``None`` for a run without such a group.

    Attributes:
        question: short name.
        role: of the blocks.
        groups: one a run.
    """

    question: str
    role: str
    groups: list[Any]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs side by side.

    Attributes:
        names: of the runs, distinct.
        steps: last step that all runs have reached, counted from 0.
        losses: at equal steps.
        roles: what questions say of each role.
        overheads: what watching cost, as a share of the training's time.
        findings: of each run.
    """

    names: list[str]
    steps: int
    losses: list[LossRow]
    roles: list[RoleRow]
    overheads: list[float | None]
    findings: list[list[Finding[Any, Any]]]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        plain = {key: value for key, value in asdict(self).items() if key != "findings"}
        plain["findings"] = [[finding.to_dict() for finding in asked] for asked in self.findings]
        return plain


def compare(runs: Sequence[Run]) -> Comparison:
    """Put runs side by side.

    Args:
        runs: two open runs or more.

    Raises:
        InputError: there are fewer than two.
    """
    if len(runs) < 2:
        raise InputError("fewer than two runs are given", remedy="pass two or more to compare")
    findings = [diagnose(run) for run in runs]
    last = min(last_step(run) for run in runs)
    return Comparison(
        names=distinct_names(runs),
        steps=last,
        losses=_losses(runs, last),
        roles=_roles(findings),
        overheads=[run.summary.get("overhead") for run in runs],
        findings=findings,
    )


def distinct_names(runs: Sequence[Run]) -> list[str]:
    """Folder names, with enough of their path to tell them apart.

    The same folder twice is told apart by number.
    """
    paths = [run.path.resolve().parts for run in runs]
    depth = 1
    while depth < max(map(len, paths)) and len({path[-depth:] for path in paths}) < len(set(paths)):
        depth += 1
    names = ["/".join(path[-depth:]) for path in paths]
    return [
        name if names.count(name) == 1 else f"{name} ({number})"
        for number, name in enumerate(names, start=1)
    ]


def role_curves(run: Run, blocks: Sequence[Block]) -> dict[str, Curve]:
    """Effective rank of the gradients over full rank, median block of each role, by step."""
    roles = pl.DataFrame(
        {"block": [block.name for block in blocks], "role": [str(block.role) for block in blocks]},
        schema={"block": pl.String, "role": pl.String},
    )
    shares = read_shares(run, blocks).join(roles, on="block")
    medians = shares.group_by("role", "step").agg(value=pl.col("share").median()).sort("step")
    return {
        str(role): thinned(str(role), series)
        for (role,), series in medians.group_by("role", maintain_order=True)
    }


def _losses(runs: Sequence[Run], last: int) -> list[LossRow]:
    rows = []
    for measure, parts in (("loss", _PARTS), ("validation_loss", (1.0,))):
        series = [read_series(run, Source.TRAINING, measure) for run in runs]
        for step in dict.fromkeys(int(last * part) for part in parts):
            losses = [_loss_at(frame, step, window=measure == "loss") for frame in series]
            if any(losses):
                rows.append(LossRow(measure, step, losses))
    return rows


def _loss_at(series: pl.DataFrame, step: int, *, window: bool) -> Loss | None:
    """Mean over the window that ends at a step; without one, the last value up to it."""
    before = series.filter(pl.col("step") <= step)
    if window:
        before = before.filter(pl.col("step") > step - max(WINDOW * step, 1))
    else:
        before = before.tail(1)
    values = before["value"].to_numpy()
    if not len(values):
        return None
    error = float(values.std(ddof=1) / len(values) ** 0.5) if len(values) > 1 else None
    return Loss(float(values.mean()), error)


def _roles(findings: Sequence[Sequence[Finding[Any, Any]]]) -> list[RoleRow]:
    rows = []
    for name, question in QUESTIONS.items():
        if not question.compared:
            continue
        runs = [_by_role(of_run, name) for of_run in findings]
        present = {role for groups in runs for role in groups}
        rows += [
            RoleRow(name, role, [groups.get(role) for groups in runs])
            for role in _ROLES
            if role in present
        ]
    return rows


def _by_role(findings: Sequence[Finding[Any, Any]], name: str) -> dict[str, Any]:
    """The groups by role of the finding of that name."""
    return {
        group.role: group
        for finding in findings
        if finding.name == name
        for group in finding.groups
        if getattr(group, "role", None) is not None
    }
