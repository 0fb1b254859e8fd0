"""What is said of the norm of one block."""

from enum import StrEnum

from spectrain.answers.question import Told


class Verdict(StrEnum):
    """What sets the scale of a block."""

    EQUILIBRIUM = "equilibrium"
    APPROACHING = "approaching"
    SIGNAL_DRIVEN = "signal-driven"
    UNDECIDED = "undecided"
    UNKNOWN = "not enough data"


VERDICTS = {
    Verdict.EQUILIBRIUM: Told(
        "=", "the norm is where noise and decay hold it; the first weights are forgotten"
    ),
    Verdict.APPROACHING: Told("→", "the norm is on the noise twin's path and not yet at its end"),
    Verdict.SIGNAL_DRIVEN: Told("▲", "the signal sets the norm"),
    Verdict.UNDECIDED: Told("○", "the records do not tell"),
    Verdict.UNKNOWN: Told("·", "the records do not suffice"),
}
