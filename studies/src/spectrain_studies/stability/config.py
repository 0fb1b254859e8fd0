"""What the study runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Divergence:
    """Healthy and driven trainings.

    Attributes:
        setups: name, whether nothing was chosen on it, and seeds of each drive that should do no
            harm; every other drive has one.
        steps: of a run.
        every: steps between two samples.
        lead: share of the run by which a divergence is to be announced before the loss shows it.
    """

    setups: tuple[tuple[str, bool, int], ...] = (
        ("mlp-sgd", False, 1),
        ("conv-sgd", False, 1),
        ("encoder-adamw", False, 1),
        ("long-adamw", False, 1),
        ("residual-adamw", True, 4),
        ("half-adamw", True, 3),
        ("gpt-adamw", True, 3),
        ("gpt-muon", True, 3),
    )
    steps: int = 240
    every: int = 6
    lead: float = 0.05


@dataclass(frozen=True)
class Transfer:
    """Networks made wider, with the width scaling of one layer left out.

    Attributes:
        plants: networks with such a layer, and half as many with none.
        narrow: width at which the rates are right.
        wide: width at which they are used.
        steps: of a run.
    """

    plants: int = 50
    narrow: int = 8
    wide: int = 128
    steps: int = 32


@dataclass(frozen=True)
class Config:
    """The study.

    Attributes:
        divergence: whether divergences are announced.
        transfer: whether the layer of the wrong pace is named.
    """

    divergence: Divergence = Divergence()
    transfer: Transfer = Transfer()


PAPER = Config()

QUICK = Config(
    divergence=Divergence(
        setups=(("mlp-sgd", False, 2), ("residual-adamw", True, 2)), steps=160, every=4
    ),
    transfer=Transfer(plants=40),
)

THINNED = {
    "paper": (
        "Networks have at most a few thousand parameters and runs 240 steps; half precision is "
        "rounded to, and not computed in.",
    ),
    "quick": ("One set-up to choose on and one to test, 160 steps, a seed a drive.",),
}
