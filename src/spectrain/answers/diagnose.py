"""All questions that records alone can answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from spectrain.answers.finding import Finding, Sign
from spectrain.answers.question import QUESTIONS, Question
from spectrain.answers.sufficient import sufficient
from spectrain.core import Block
from spectrain.records import Run


def diagnose(
    run: Run, *, blocks: Sequence[Block] | None = None, questions: Sequence[str] | None = None
) -> list[Finding[Any, Any]]:
    """Every finding of a run, in the order in which a page shows them.

    Where samples are too few, the action names the steps that are missing, or the argument.

    Args:
        run: an open run.
        blocks: the blocks to judge; all if not given.
        questions: names of those to ask; all if not given.

    Raises:
        InputError: there is no question of that name.
    """
    asked = QUESTIONS if questions is None else questions
    return [_answered(QUESTIONS[name], run, blocks) for name in asked]


def _answered(
    question: Question[Any, Any], run: Run, blocks: Sequence[Block] | None
) -> Finding[Any, Any]:
    finding = question.answer(run, blocks=blocks)
    if finding.sign is not Sign.NOT_ENOUGH_DATA or question.needs is None:
        return finding
    return replace(finding, action=sufficient(run, question.needs) or finding.action)
