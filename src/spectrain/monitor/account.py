"""What reading at one cadence has cost, and what it is expected to cost."""

from __future__ import annotations

from dataclasses import dataclass

from spectrain.monitor.plan import Cadence

FACTORS = {
    Cadence.OFTEN: 0.3,
    Cadence.SOMETIMES: 1.5,
    Cadence.SELDOM: 4.0,
    Cadence.RARELY: 4.0,
}
"""Price of a first reading in terms of the block's spectrum, before any was timed."""


@dataclass(slots=True)
class Account:
    """What one cadence has cost.

    Attributes:
        factor: price of a reading in terms of the blocks' spectra: a guess, then what was met.
        seconds: spent.
        booked: whether a reading was paid for.
        last: step of its last reading, counted from the start of watching.
        place: number of blocks whose turn is over.
        dear: number of readings of blocks that are too dear for a turn with others.
        dear_seconds: what they cost.
        reading: blocks of the planned reading.
        alone: whether it is that of a block too dear for a turn.
    """

    factor: float
    seconds: float = 0.0
    booked: bool = False
    last: int | None = None
    place: int = 0
    dear: int = 0
    dear_seconds: float = 0.0
    reading: tuple[str, ...] = ()
    alone: bool = False

    def price(self, work: float) -> float:
        """Expected seconds of a reading."""
        return work * self.factor

    def book(self, seconds: float, work: float) -> None:
        """Pay for a reading, which sets the expected cost of later ones; the latest counts most."""
        if work:
            met = seconds / work
            self.factor = (self.factor + met) / 2 if self.booked else met
            self.booked = True
        self.seconds += seconds
