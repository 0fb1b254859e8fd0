"""A plan that optimizers can be built from: usual routing, and what trials found better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spectrain.answers.descent.prior import prior
from spectrain.answers.descent.row import DescentRow
from spectrain.answers.finding import Finding
from spectrain.core import InputError, Plan, Step, usual_step

DIAGNOSTIC = (
    *("verdict", "ratio", "low", "high", "corrected", "course", "samples"),
    *("granularity", "granularity_gain", "measured", "measured_step"),
)
"""What of the descent finding is kept beside a step; nothing of it decides."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What trials found of one block.

    Attributes:
        step: that was better than the usual one.
        found: what is kept beside it in the plan, such as the gain and its interval.
    """

    step: Step
    found: Mapping[str, Any] = field(default_factory=dict)


def plan_of(
    finding: Finding[DescentRow, Any], *, evidence: Mapping[str, Tried] | None = None
) -> Plan:
    """Usual routing, except where trials favour another step; each line's ``basis`` says why.

    Args:
        finding: of :func:`~spectrain.answers.descent`: its blocks, and the diagnostic that is kept
            beside each step.
        evidence: what trials found, by block.

    Raises:
        InputError: the finding is not that of the descent question, or the evidence is of a block
            that it does not know.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import mkdtemp
        >>> from spectrain.answers import descent
        >>> from spectrain.core import Block, Role
        >>> from spectrain.records import RunWriter, open_run
        >>> folder = Path(mkdtemp()) / "run"
        >>> head = Block("head", Role.HEAD, None, (8, 4), "head")
        >>> RunWriter(folder, manifest={"blocks": [head.to_dict()], "config": {}}).close({})
        >>> finding = descent(open_run(folder))
        >>> str(plan_of(finding)["head"])
        'euclidean'
        >>> tried = {"head": Tried(Step.SPECTRAL, {"gain": 0.02})}
        >>> str(plan_of(finding, evidence=tried)["head"])
        'spectral'
    """
    if finding.name != "descent":
        raise InputError(
            f"the finding {finding.name!r} says nothing of steps", remedy="pass that of descent"
        )
    tried = evidence or {}
    if unknown := tried.keys() - {row.block for row in finding.rows}:
        raise InputError(
            f"the evidence is of {min(unknown)!r}, which the finding does not know",
            remedy="pass a finding over the same blocks",
        )
    return Plan(
        {
            row.block: tried[row.block].step if row.block in tried else usual_step(row.role)
            for row in finding.rows
        },
        {
            row.block: {"basis": prior(row.role)}
            | _diagnostic(row)
            | dict(tried[row.block].found if row.block in tried else {})
            for row in finding.rows
        },
    )


def _diagnostic(row: DescentRow) -> dict[str, Any]:
    values = {key: getattr(row, key) for key in DIAGNOSTIC}
    return {
        key: str(value) if key == "verdict" else value
        for key, value in values.items()
        if value is not None
    }
