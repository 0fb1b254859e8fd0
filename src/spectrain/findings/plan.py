"""From the descent finding to a plan that optimizers can be built from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from spectrain.core import InputError, Plan, Role, Step, usual_step
from spectrain.findings.finding import Finding, Verdict

OpenAs = Literal["usual", "spectral", "euclidean"]

EVIDENCE = (
    *("verdict", "ratio", "low", "high", "course", "samples"),
    *("granularity", "granularity_gain", "measured", "measured_step"),
)


def plan_of(finding: Finding, *, open_as: OpenAs = "usual") -> Plan:
    """The steps that the finding decides; common practice where it does not.

    Args:
        finding: of :func:`~spectrain.findings.descent`.
        open_as: the step of blocks that it leaves open or knows too little of; ``"usual"`` is
            :func:`~spectrain.core.usual_step` of the block's role.

    Raises:
        InputError: the finding is not that of the descent question.

    Example:
        >>> from spectrain.findings import Label, Status
        >>> rows = (
        ...     {"block": "head", "role": "head", "verdict": "spectral", "ratio": 3.0},
        ...     {"block": "in", "role": "mlp.in", "verdict": "open", "ratio": 1.0},
        ...     {"block": "norm", "role": "norm", "verdict": "open", "ratio": 1.0},
        ... )
        >>> finding = Finding("descent", "", Status.ANSWERED, "", "", Label.HEURISTIC, rows=rows)
        >>> [str(step) for step in plan_of(finding).values()]
        ['spectral', 'spectral', 'euclidean']
    """
    if finding.name != "descent":
        raise InputError(
            f"the finding {finding.name!r} says nothing of steps", remedy="pass that of descent"
        )
    decided = {Verdict.SPECTRAL: Step.SPECTRAL, Verdict.EUCLIDEAN: Step.EUCLIDEAN}

    def step(row: Mapping[str, Any]) -> Step:
        otherwise = usual_step(Role(row["role"])) if open_as == "usual" else Step(open_as)
        return decided.get(row["verdict"], otherwise)

    return Plan(
        {row["block"]: step(row) for row in finding.rows},
        {
            row["block"]: {
                key: str(row[key]) if key == "verdict" else row[key]
                for key in EVIDENCE
                if row.get(key) is not None
            }
            for row in finding.rows
        },
    )
