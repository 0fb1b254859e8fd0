"""Sizes of the GPT: courses of its spectra, and the race of optimizers on it."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class GPTSizes:
    """A GPT and its batches; the defaults are the document's.

    Attributes:
        layers: transformer blocks.
        heads: of each.
        width: of the residual stream.
        context: tokens of a window.
        batch: windows of a step.
        value_embeddings: token tables that are added to values of the first and last layers.
        activation: of the MLP.
    """

    layers: int = 12
    heads: int = 6
    width: int = 768
    context: int = 49_152
    batch: int = 8
    value_embeddings: int = 3
    activation: str = "relu2"


SMALL = GPTSizes(layers=2, heads=4, width=32, context=32, batch=4, value_embeddings=1)


@dataclass(frozen=True)
class Courses:
    """Spectra through training under Muon and AdamW, Figures 2 and 5–10.

    Attributes:
        network: the GPT.
        steps: of training.
        records: steps at which spectra are taken, from step 2 on.
        muon_rate: peak learning rate of the matrices inside the blocks.
        adamw_rate: that of everything else; the document has one for each kind of table.
        seeds: independent trainings.
    """

    network: GPTSizes = GPTSizes()
    steps: int = 1750
    records: int = 18
    muon_rate: float = 0.05
    adamw_rate: float = 0.008
    seeds: int = 5


@dataclass(frozen=True)
class Race:
    """Muon on one block at a time, and on chosen sets; the document has no such experiment.

    Every learning rate is searched on a geometric grid that goes on until its best value is no end.

    Attributes:
        network: the GPT.
        steps: of training.
        records: steps at which margins are taken.
        adamw_rate: learning rate of AdamW beside a single block of another optimizer; a search of
            AdamW on all blocks must confirm it.
        muon_rate, gd_rate, specgd_rate: where the searches start.
        factor: ratio of neighbouring rates.
        moves: how often a grid may be extended.
        tuning_seeds: trainings behind every rate that is tried.
        seeds: fresh trainings with the best rate.
    """

    network: GPTSizes = SMALL
    steps: int = 80
    records: int = 16
    adamw_rate: float = 0.01
    muon_rate: float = 0.03
    gd_rate: float = 1.0
    specgd_rate: float = 0.1
    factor: float = 3.0
    moves: int = 6
    tuning_seeds: int = 2
    seeds: int = 5


@dataclass(frozen=True)
class Transformer:
    """All that is run on a GPT.

    Attributes:
        courses: spectra through training, Figures 2 and 5–10.
        race: optimizers, Table 2 and our question.
    """

    courses: Courses = Courses()
    race: Race = Race()


_COURSES = Courses(
    network=GPTSizes(layers=3, heads=4, width=48, context=32, batch=8, value_embeddings=1),
    steps=200,
    muon_rate=0.03,
    adamw_rate=0.01,
    seeds=60,
)
_QUICK_COURSES = replace(
    _COURSES,
    network=SMALL,
    steps=30,
    records=6,
    seeds=2,
)
_QUICK_RACE = replace(Race(), steps=12, records=8, moves=1, tuning_seeds=1, seeds=2)

DOCUMENT = Transformer()
PAPER = Transformer(courses=_COURSES)
QUICK = Transformer(courses=_QUICK_COURSES, race=_QUICK_RACE)

THINNED = {
    "quick": (
        "GPT of Figures 2, 5–10: 2 layers instead of 12, width 32 instead of 768, 128 tokens a "
        "step instead of 393,216, 30 steps instead of 1,750, 2 seeds.",
        "Race: 12 steps, a grid that is extended once, 1 seed a trial and 2 at the best rate: "
        "where a best rate is an end of it, verdicts are undecided.",
    ),
    "paper": (
        "GPT of Figures 2, 5–10: 3 layers instead of 12, width 48 instead of 768, characters "
        "instead of 50,257 tokens, 256 tokens a step instead of 393,216, 200 steps instead of "
        "1,750; no skips between layers, attention in every block, one rate of AdamW for all "
        "tables.",
        "Table 2: a GPT of 2 layers and width 32 over 80 steps of 128 characters instead of 160M "
        "parameters over 10,000 steps.",
    ),
}
