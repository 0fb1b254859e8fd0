"""Regime: whether noise and weight decay set the scale of a block, or the signal does."""

from spectrain.answers.question import QUESTIONS, Question
from spectrain.answers.regime.columns import columns
from spectrain.answers.regime.finding import regime
from spectrain.answers.regime.page import part
from spectrain.answers.regime.row import VERDICTS

__all__ = ["regime"]

QUESTIONS.register(
    Question(
        name="regime",
        text="Do noise and weight decay set the scale of the weights, or does the signal?",
        answer=regime,
        verdicts=VERDICTS,
        columns=columns,
        part=part,
        script=__name__,
    )
)
