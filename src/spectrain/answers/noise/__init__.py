"""Noise: how much of each gradient is signal, and of what kind the noise is."""

from spectrain.answers.noise.columns import columns
from spectrain.answers.noise.finding import noise
from spectrain.answers.noise.page import part
from spectrain.answers.noise.row import VERDICTS
from spectrain.answers.question import QUESTIONS, Question

__all__ = ["noise"]

QUESTIONS.register(
    Question(
        name="noise",
        place=3,
        text="How much of each gradient is signal, and of what kind is the noise?",
        answer=noise,
        verdicts=VERDICTS,
        columns=columns,
        part=part,
        script=__name__,
    )
)
