"""From the descent finding to a plan that optimizers can be built from."""

from __future__ import annotations

from spectrain.core import InputError, Plan, Step
from spectrain.findings.finding import Finding, Verdict

EVIDENCE = (
    *("verdict", "ratio", "low", "high", "course", "samples"),
    *("granularity", "granularity_gain", "measured", "measured_step"),
)


def plan_of(finding: Finding, *, open_as: Step = Step.EUCLIDEAN) -> Plan:
    """Spectral steps for the blocks that the finding calls spectral, Euclidean ones elsewhere.

    Args:
        finding: of :func:`~spectrain.findings.descent`.
        open_as: the step of blocks that it leaves open or knows too little of.

    Raises:
        InputError: the finding is not that of the descent question.

    Example:
        >>> from spectrain.findings import Label, Status
        >>> row = {"block": "a", "verdict": "spectral", "ratio": 3.0}
        >>> finding = Finding("descent", "", Status.ANSWERED, "", "", Label.HEURISTIC, rows=(row,))
        >>> str(plan_of(finding)["a"])
        'spectral'
    """
    if finding.name != "descent":
        raise InputError(
            f"the finding {finding.name!r} says nothing of steps", remedy="pass that of descent"
        )
    chosen = {Verdict.SPECTRAL: Step.SPECTRAL, Verdict.EUCLIDEAN: Step.EUCLIDEAN}
    return Plan(
        {row["block"]: chosen.get(row["verdict"], open_as) for row in finding.rows},
        {
            row["block"]: {
                key: str(row[key]) if key == "verdict" else row[key]
                for key in EVIDENCE
                if row.get(key) is not None
            }
            for row in finding.rows
        },
    )
