"""Randomness: how much of each weight matrix is still that of a random matrix."""

from functools import partial

from spectrain.answers.question import QUESTIONS, Question
from spectrain.answers.randomness.columns import columns
from spectrain.answers.randomness.finding import QUESTION, randomness
from spectrain.answers.randomness.judge import judge_spectrum
from spectrain.answers.randomness.page import part
from spectrain.answers.randomness.row import VERDICTS, Judgement, RandomnessRow

REPLICATES = 39
"""Simulated matrices behind each error where all questions are asked."""

__all__ = ["Judgement", "RandomnessRow", "judge_spectrum", "randomness"]

QUESTIONS.register(
    Question(
        name="randomness",
        place=5,
        text=QUESTION,
        answer=partial(randomness, replicates=REPLICATES),
        verdicts=VERDICTS,
        columns=columns,
        part=part,
    )
)
