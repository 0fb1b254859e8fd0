"""Audit: whether the applied updates are what their optimizer intends."""

from spectrain.answers.audit.columns import columns, concern
from spectrain.answers.audit.finding import QUESTION, audit
from spectrain.answers.audit.row import VERDICTS
from spectrain.answers.question import QUESTIONS, Question

__all__ = ["audit"]

QUESTIONS.register(
    Question(
        name="audit",
        place=7,
        text=QUESTION,
        answer=audit,
        verdicts=VERDICTS,
        columns=columns,
        concern=concern,
    )
)
