"""From the descent finding to a plan that optimizers can be built from."""

from __future__ import annotations

from typing import Any, Literal

from spectrain.answers.descent.row import DescentRow, Verdict
from spectrain.answers.finding import Finding
from spectrain.core import InputError, Plan, Step, usual_step

OpenAs = Literal["usual", "spectral", "euclidean"]

EVIDENCE = (
    *("verdict", "ratio", "low", "high", "course", "samples"),
    *("granularity", "granularity_gain", "measured", "measured_step"),
)


def plan_of(finding: Finding[DescentRow, Any], *, open_as: OpenAs = "usual") -> Plan:
    """The steps that the finding decides; common practice where it does not.

    Args:
        finding: of :func:`~spectrain.answers.descent`.
        open_as: the step of blocks that it leaves open or knows too little of; ``"usual"`` is
            :func:`~spectrain.core.usual_step` of the block's role.

    Raises:
        InputError: the finding is not that of the descent question.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import mkdtemp
        >>> from spectrain.answers.descent import descent
        >>> from spectrain.records import RunWriter, open_run
        >>> folder = Path(mkdtemp()) / "run"
        >>> head = Block("head", Role.HEAD, None, (8, 4), "head")
        >>> RunWriter(folder, manifest={"blocks": [head.to_dict()], "config": {}}).close({})
        >>> dict(plan_of(descent(open_run(folder))))
        {'head': <Step.EUCLIDEAN: 'euclidean'>}
    """
    if finding.name != "descent":
        raise InputError(
            f"the finding {finding.name!r} says nothing of steps", remedy="pass that of descent"
        )
    decided = {Verdict.SPECTRAL: Step.SPECTRAL, Verdict.EUCLIDEAN: Step.EUCLIDEAN}

    def step(row: DescentRow) -> Step:
        otherwise = usual_step(row.role) if open_as == "usual" else Step(open_as)
        return decided.get(row.verdict, otherwise)

    return Plan(
        {row.block: step(row) for row in finding.rows},
        {row.block: _evidence(row) for row in finding.rows},
    )


def _evidence(row: DescentRow) -> dict[str, Any]:
    found = {key: getattr(row, key) for key in EVIDENCE}
    return {
        key: str(value) if key == "verdict" else value
        for key, value in found.items()
        if value is not None
    }
