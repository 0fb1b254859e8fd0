"""Stability: whether something grows towards trouble, and whether layers keep the same pace."""

from spectrain.answers.question import QUESTIONS, Question
from spectrain.answers.stability.columns import columns, concern
from spectrain.answers.stability.finding import QUESTION, stability
from spectrain.answers.stability.page import part
from spectrain.answers.stability.row import VERDICTS, StabilityGroup, StabilityRow
from spectrain.answers.sufficient import Need
from spectrain.answers.trend import ENOUGH
from spectrain.core import Source

__all__ = ["StabilityGroup", "StabilityRow", "stability"]

QUESTIONS.register(
    Question(
        name="stability",
        place=6,
        text=QUESTION,
        answer=stability,
        verdicts=VERDICTS,
        needs=Need(Source.WEIGHT, "operator_norm", ENOUGH),
        columns=columns,
        concern=concern,
        part=part,
        script=__name__,
    )
)
