"""Regime: whether noise and weight decay set the scale of a block, or the signal does."""

from spectrain.answers.question import QUESTIONS, Question
from spectrain.answers.regime.columns import columns
from spectrain.answers.regime.finding import QUESTION, regime
from spectrain.answers.regime.page import part
from spectrain.answers.regime.row import VERDICTS, Memory, RegimeGroup, RegimeRow
from spectrain.answers.sufficient import Need
from spectrain.answers.twin import ENOUGH
from spectrain.core import Source

__all__ = ["Memory", "RegimeGroup", "RegimeRow", "regime"]

QUESTIONS.register(
    Question(
        name="regime",
        place=4,
        text=QUESTION,
        answer=regime,
        verdicts=VERDICTS,
        needs=Need(Source.WEIGHT, "frobenius_norm", ENOUGH),
        columns=columns,
        part=part,
        script=__name__,
    )
)
