"""What is said of the rank of one block's gradient."""

from enum import StrEnum

from spectrain.answers.question import Told


class Verdict(StrEnum):
    """Where the rank goes."""

    FALLING = "falling"
    RISING = "rising"
    NO_TREND = "no trend"
    UNKNOWN = "not enough data"


VERDICTS = {
    Verdict.FALLING: Told("↘", "the effective rank falls, at a false discovery rate of 5 %"),
    Verdict.RISING: Told("↗", "it rises, at the same rate"),
    Verdict.NO_TREND: Told("→", "no trend beyond noise"),
    Verdict.UNKNOWN: Told("·", "the records do not suffice"),
}
