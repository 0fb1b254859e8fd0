"""The document's four questions on one page, out of a ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spectrain_studies.frame.ledger import measured

QUESTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "Does gradient effective rank change during training, and how?",
        (
            "answer-1-rank-changes",
            "adam-rank-falls",
            "late-stage-decline",
            "deeper-layers-decline-more",
            "collapse-precedes-stagnation",
        ),
    ),
    (
        "Do the rank dynamics of Adam and Muon differ?",
        (
            "answer-2-adam-and-muon-differ",
            "muon-rank-stable",
            "muon-momentum-rank-stable",
            "muon-update-rank-stable",
            "adam-updates-below-muon-updates",
        ),
    ),
    (
        "Does manipulating gradient rank affect learning?",
        (
            "answer-3-rank-matters",
            "printed-low-rank-hurts",
            "adam-reinflates-rank",
            "low-rank-update-hurts",
            "rank-10-update-hurts",
            "low-rank-momentum-hurts",
        ),
    ),
    (
        "Which aspect matters: direction, rank inflation, spectral equalization?",
        (
            "answer-4-direction",
            "answer-4-rank-inflation",
            "answer-4-equalization",
            "answer-4-equalization-without-rank",
            "answer-4-small-directions",
            "answer-4-scale-per-step",
            "answer-4-spectrum-of-the-moment",
        ),
    ),
    (
        "If not rank, what? And what is as good, and cheaper?",
        (
            "curvature-normalised",
            "generalises-better",
            "geometry-predicts-benefit",
            "health-predicts-progress",
            "rows-as-good-as-muon",
            "columns-as-good-as-muon",
            "one-step-as-good-as-muon",
            "fisher-as-good-as-muon",
        ),
    ),
)
"""The four success criteria and what follows them, each with the claims that answer it."""

MISSING = (
    "No paper-scale run of this study is in the ledger. Make one:\n\n"
    "```console\n$ spectrain study run rank --scale paper --json > docs/ledger/rank.json\n```\n"
)


def answers(ledger: Mapping[str, Any] | None) -> str:
    """The page: for each question its claims, their verdicts, and the values model by model.

    Args:
        ledger: what ``spectrain study run rank --json`` printed; ``None`` where there is none.
    """
    if ledger is None:
        return MISSING
    rows = {row["id"].removeprefix("rank/"): row for row in ledger["claims"]}
    parts = [f"From the run at scale *{ledger['scale']}*.\n"]
    for number, (question, names) in enumerate(QUESTIONS, start=1):
        parts.append(f"## {number}. {question}\n")
        parts.append(_table([rows[name] for name in names if name in rows]))
    return "\n".join(parts)


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = ["| claim | verdict | by model: verdict and measured |", "| --- | --- | --- |"]
    for row in rows:
        statement = " ".join(row["statement"].replace("|", "/").split())
        lines.append(f"| {statement} (`{row['id']}`) | {row['verdict']} | {_by_model(row)} |")
    return "\n".join(lines) + "\n"


def _by_model(row: Mapping[str, Any]) -> str:
    """The parts of a claim on several models, else its own value."""
    parts = {
        name: part
        for name, part in row["details"].items()
        if isinstance(part, Mapping) and "verdict" in part
    }
    if not parts:
        return measured(row)
    return "; ".join(
        f"{name}: {part['verdict']}"
        + ("" if part["measured"] is None else f", {part['measured']:.3g}")
        for name, part in parts.items()
    )
