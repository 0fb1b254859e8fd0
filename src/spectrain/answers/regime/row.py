"""What is said of the scale of one block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from spectrain.answers.finding import Group, Row
from spectrain.answers.question import Told


class Verdict(StrEnum):
    """What sets the norm of a block."""

    EQUILIBRIUM = "equilibrium"
    BEHIND = "behind its schedule"
    APPROACHING = "approaching"
    BELOW = "below its twin"
    SIGNAL_DRIVEN = "signal-driven"
    UNDECIDED = "undecided"
    UNKNOWN = "not enough data"


VERDICTS = {
    Verdict.EQUILIBRIUM: Told(
        "=", "on the path of its noise twin, at the norm of its learning rate and decay"
    ),
    Verdict.BEHIND: Told(
        "≈", "on that path, which the schedule has led away from the norm of the last rate"
    ),
    Verdict.APPROACHING: Told(
        "→", "on that path, with more than a tenth left of the first weights"
    ),
    Verdict.BELOW: Told(
        "▽", "below that path: the loss, or what follows the block, holds the weights back"
    ),
    Verdict.SIGNAL_DRIVEN: Told(
        "▲", "above that path, or more than half of the gradient's energy persists"
    ),
    Verdict.UNDECIDED: Told("○", "too near to tell, too little time passed, or nothing decays"),
    Verdict.UNKNOWN: Told("·", "the records do not suffice"),
}

ON_PATH = (Verdict.EQUILIBRIUM, Verdict.BEHIND, Verdict.APPROACHING)
"""Verdicts on blocks that noise and weight decay account for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimeRow(Row):
    """One block.

    Attributes:
        kind: ``matrix``, ``vector`` or ``multiplier``.
        normalised: whether what it feeds is normalised, so that its scale is free; ``None`` where
            the network has no normalisation.
        group: parameter group of its optimizer.
        verdict: what sets its norm.
        norm: last recorded.
        twin: what noise alone would have made of it.
        equilibrium: norm at which the last settings would settle.
        ratio: norm over the twin's, median late in the run.
        tolerance: relative distance that counts as on the path.
        measured: whether the size of the twin's updates was measured.
        entered: first recorded step from which it stayed in its regime.
        relaxations: relaxation times of ‖W‖² that passed.
        relaxation_steps: steps in which a deviation of ‖W‖² falls to 1/e, the mean over the run.
        angle: of a step late in the run, in radians.
        equilibrium_angle: of the equilibrium of the same settings.
        alignment: cosine of successive updates, median late in the run.
        noise_alignment: that of noise alone.
        persistent_energy: share of the gradient's energy that earlier gradients predict.
        persistent_low: it less two standard errors.
        persistent_high: and more.
        snr: signal over noise of a step's gradient.
        samples: recorded weights.
    """

    kind: str
    normalised: bool | None = None
    group: str | None = None
    verdict: Verdict = Verdict.UNKNOWN
    norm: float | None = None
    twin: float | None = None
    equilibrium: float | None = None
    ratio: float | None = None
    tolerance: float | None = None
    measured: bool | None = None
    entered: int | None = None
    relaxations: float | None = None
    relaxation_steps: float | None = None
    angle: float | None = None
    equilibrium_angle: float | None = None
    alignment: float | None = None
    noise_alignment: float | None = None
    persistent_energy: float | None = None
    persistent_low: float | None = None
    persistent_high: float | None = None
    snr: float | None = None
    samples: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimeGroup(Group):
    """The blocks of one role.

    Attributes:
        kind: ``matrix``, ``vector`` or ``multiplier``.
        ratio: norm over the twin's, of the median block.
        verdicts: number of blocks of each verdict.
    """

    kind: str
    ratio: float | None = None
    verdicts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory(Group):
    """The timescale of the weight decay of one parameter group.

    Attributes:
        name: of the parameter group.
        optimizer: class name.
        steps: over which weights average updates: 1/(ηλ) of the mean ηλ.
        peak_steps: 1/(ηλ) at the largest ηλ.
        share: of the recorded run.
        epochs: in passes over the data, where ``epoch`` was logged.
        tokens: in tokens, where ``tokens`` of a step were.
        guideline: ``long`` or ``short`` where the timescale lies outside that of the literature.
        decay: the last λ.
        wanted: λ with which it would be one run where it is long, a tenth of a pass where short.
        scheduled: whether rate or decay follow a schedule.
    """

    name: str
    optimizer: str
    steps: float
    peak_steps: float
    share: float
    epochs: float | None = None
    tokens: float | None = None
    guideline: str | None = None
    decay: float
    wanted: float | None = None
    scheduled: bool = False
