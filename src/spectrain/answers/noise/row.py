"""What is said of the noise of one block, of a role, or of the network."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from spectrain.answers.finding import Group, Row
from spectrain.answers.question import Told


class Verdict(StrEnum):
    """Whether a step's gradient is mostly noise."""

    NOISE = "mostly noise"
    SIGNAL = "mostly signal"
    OPEN = "open"
    NOT_FINITE = "not finite"
    UNKNOWN = "not enough data"


VERDICTS = {
    Verdict.NOISE: Told("▒", "the noise scale lies above the batch size of a step"),
    Verdict.SIGNAL: Told("█", "it lies below"),
    Verdict.OPEN: Told("○", "its interval holds the batch size, or there is none"),
    Verdict.NOT_FINITE: Told("!", "no sampled gradient was finite"),
    Verdict.UNKNOWN: Told("·", "there are no replicas of the gradient"),
}


class Kind(StrEnum):
    """Of what kind the noise is, as its effect on singular directions shows."""

    ISOTROPIC = "isotropic additive"
    ADDITIVE = "additive"
    PROPORTIONAL = "signal-proportional"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The noise scale of a gradient over the last third of the samples.

    Attributes:
        verdict: the interval of the noise scale against the batch of a step.
        snr: signal-to-noise ratio of a step's whole gradient.
        noise_scale: batch size at which signal and noise are even, for SGD.
        low: lower end of its 95 % interval.
        high: upper end; ``None`` where it is not bounded.
        unit: what it counts, ``examples`` or ``microbatches``.
        tokens: the same in tokens, where they were logged.
        batch: of a step, in that unit.
        steps_cost: steps at this batch over the fewest possible, 1 + B_noise/B.
        examples_cost: examples at this batch over the fewest possible, 1 + B/B_noise.
        samples: of the whole run.
        window: first and last step of those that were averaged.
        lost: steps whose sample was not finite.
        reason: why something is missing.
    """

    verdict: Verdict = Verdict.UNKNOWN
    snr: float | None = None
    noise_scale: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str | None = None
    tokens: float | None = None
    batch: float | None = None
    steps_cost: float | None = None
    examples_cost: float | None = None
    samples: int = 0
    window: tuple[int, int] | None = None
    lost: tuple[int, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseRow(Row):
    """One block: its noise scale as in :class:`Scale`, and its singular directions.

    Attributes:
        directions: how many were looked at.
        signal_directions: how many the samples together establish, at 5 % a block.
        signal_mean: mean over samples of how many each establishes on its own.
        signal_error: its standard error.
        direction_samples: samples of directions in the window.
        kind: kind of noise that more than half of them show.
        kind_samples: how many.
        evenness: how evenly the noise falls on rows and columns, 1 at most.
        orthogonalized_scale: noise scale of the polar factors of replicas, as Muon takes them.
        zeta_emp: echo plateau, median over the samples of the window, and so the next four.
        zeta_pred: what overlaps predict for it.
        eta_mult: noise strength.
        gamma_echo: echo gap.
        product_coupling: 1 for multiplicative noise, near 0 for additive.
    """

    verdict: Verdict = Verdict.UNKNOWN
    snr: float | None = None
    noise_scale: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str | None = None
    tokens: float | None = None
    batch: float | None = None
    steps_cost: float | None = None
    examples_cost: float | None = None
    samples: int = 0
    window: tuple[int, int] | None = None
    lost: tuple[int, ...] = ()
    directions: int | None = None
    signal_directions: int | None = None
    signal_mean: float | None = None
    signal_error: float | None = None
    direction_samples: int = 0
    kind: Kind | None = None
    kind_samples: int = 0
    evenness: float | None = None
    orthogonalized_scale: float | None = None
    zeta_emp: float | None = None
    zeta_pred: float | None = None
    eta_mult: float | None = None
    gamma_echo: float | None = None
    product_coupling: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseGroup(Group):
    """The blocks of a role taken as one gradient, or all of them.

    Attributes:
        network: whether these are all blocks.
        scale: of the gradient that they make together.
    """

    network: bool = False
    scale: Scale
