"""All questions that records alone can answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spectrain.answers.finding import Finding
from spectrain.answers.question import QUESTIONS
from spectrain.core import Block
from spectrain.records import Run


def diagnose(
    run: Run, *, blocks: Sequence[Block] | None = None, questions: Sequence[str] | None = None
) -> list[Finding[Any, Any]]:
    """Every finding of a run, in the order in which a page shows them.

    Args:
        run: an open run.
        blocks: the blocks to judge; all if not given.
        questions: names of those to ask; all if not given.

    Raises:
        InputError: there is no question of that name.
    """
    asked = QUESTIONS if questions is None else questions
    return [QUESTIONS[name].answer(run, blocks=blocks) for name in asked]
