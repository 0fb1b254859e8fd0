"""What is said of the updates of one block."""

from enum import StrEnum

from spectrain.answers.question import Told


class Verdict(StrEnum):
    """Whether an update is what its optimizer intends."""

    ORTHOGONAL = "orthogonal"
    NOT_ORTHOGONAL = "not orthogonal"
    SHRUNK = "shrunk"
    UNKNOWN = "not enough data"


VERDICTS = {
    Verdict.ORTHOGONAL: Told("=", "nearly an isometry, as long as intended"),
    Verdict.NOT_ORTHOGONAL: Told("≠", "‖UᵀU − I‖_F/√r exceeds 0.5"),
    Verdict.SHRUNK: Told("<", "shorter than 0.8 of what was intended"),
    Verdict.UNKNOWN: Told("·", "the records do not suffice"),
}
