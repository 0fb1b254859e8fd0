"""What is said of the noise of one block."""

from enum import StrEnum

from spectrain.answers.question import Told


class Verdict(StrEnum):
    """Whether a step's gradient is mostly noise."""

    NOISE = "mostly noise"
    SIGNAL = "mostly signal"
    OPEN = "open"
    UNKNOWN = "not enough data"


VERDICTS = {
    Verdict.NOISE: Told("▒", "the noise scale lies above the batch size of a step"),
    Verdict.SIGNAL: Told("█", "it lies below"),
    Verdict.OPEN: Told("○", "its interval holds the batch size, or there is none"),
    Verdict.UNKNOWN: Told("·", "there are no replicas of the gradient"),
}
