"""Randomness: how much of each weight matrix is still that of a random matrix."""

from functools import partial

from spectrain.answers.question import QUESTIONS, Question
from spectrain.answers.randomness.columns import columns
from spectrain.answers.randomness.finding import randomness
from spectrain.answers.randomness.words import VERDICTS

REPLICATES = 39
"""Simulated matrices behind each error where all questions are asked."""


__all__ = ["randomness"]

QUESTIONS.register(
    Question(
        name="randomness",
        text="How much of each weight matrix is still random?",
        answer=partial(randomness, replicates=REPLICATES),
        verdicts=VERDICTS,
        columns=columns,
    )
)
