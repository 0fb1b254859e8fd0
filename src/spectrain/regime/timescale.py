"""How long weights remember: the timescale of decoupled weight decay, and the decay that sets it.

W ← (1 − ηλ)W − ηu is an exponential moving average of −u/λ whose newest member weighs ηλ, so that
weights average the updates of the last 1/(ηλ) steps. Under a schedule the weight of an update falls
by the factor exp(−Σηλ) over all later steps; the run as a whole has the timescale T/Σ_t η_tλ_t of T
steps, that of the mean rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
from jaxtyping import Float64

from spectrain.core.errors import InputError

Array = np.ndarray

LEAST_EPOCHS = 0.1
"""Timescale in passes over the data far below which part of the data is hardly averaged over."""

MOST_OF_RUN = 10.0
"""Timescale in runs above which the first updates are hardly forgotten: of ten, 90 % is left."""


@dataclass(frozen=True, slots=True)
class Timescale:
    """The timescale of a run's weight decay.

    Attributes:
        steps: T/Σηλ, and 1/(ηλ) where both are constant; infinite without decay.
        share: of the run's T steps.
        peak_steps: 1/(ηλ) at the largest ηλ, as papers that state one rate have it.
    """

    steps: float
    share: float
    peak_steps: float

    def verdict(self, epochs: float | None = None) -> str | None:
        """What the literature's guideline says against it; ``None`` where it is within.

        Not much below one pass over the data, so that all of it is averaged over, and not much
        above the run, so that the first updates are forgotten. "Much" is read as a factor of ten.

        Args:
            epochs: passes over the data in the run, if known; a run of at most one otherwise.

        Source:
            Wang & Aitchison 2024, arXiv:2405.13698, abstract and §3.

        Example:
            >>> timescale(np.full(1000, 1e-3), np.full(1000, 0.05)).verdict()
            'long'
            >>> timescale(np.full(1000, 0.02), np.full(1000, 0.1)).verdict() is None
            True
        """
        if self.share > MOST_OF_RUN:
            return "long"
        passes = self.share * max(epochs or 1.0, 1.0)
        return "short" if passes < LEAST_EPOCHS else None


def timescale(
    learning_rates: Float64[Array, " steps"], weight_decays: Float64[Array, " steps"]
) -> Timescale:
    """The timescale of a schedule, one entry a step.

    Args:
        learning_rates: η of each step.
        weight_decays: λ of each step, decoupled.

    Raises:
        InputError: there is no step, or a value is negative or not finite.

    Source:
        Wang & Aitchison 2024, arXiv:2405.13698, §3: 1/(ηλ) at a constant rate.

    Example:
        >>> averaged = timescale(np.full(1000, 0.02), np.full(1000, 0.25))
        >>> averaged.steps, averaged.share
        (200.0, 0.2)
    """
    rates, decays = (np.asarray(values, np.float64) for values in (learning_rates, weight_decays))
    products = rates * decays
    if products.size == 0 or not (np.isfinite(products) & (rates >= 0) & (decays >= 0)).all():
        raise InputError(
            "a schedule without steps, or with negative or not finite rates",
            remedy="pass a learning rate and a weight decay of at least 0 for each step",
        )
    total = float(products.sum())
    if total == 0:
        return Timescale(inf, inf, inf)
    return Timescale(products.size / total, 1 / total, 1 / float(products.max()))


def decay_for(share: float, learning_rates: Float64[Array, " steps"]) -> float:
    """The weight decay with which a schedule has the timescale ``share`` of its run: 1/(share·Ση).

    Args:
        share: wanted timescale over the length of the run.
        learning_rates: η of each step.

    Raises:
        InputError: the share is not positive, or all rates are zero.

    Example:
        >>> round(decay_for(0.2, np.full(1000, 0.02)), 6)
        0.25
    """
    total = float(np.sum(learning_rates))
    if not (share > 0 and total > 0):
        raise InputError(
            f"a timescale of {share} of a run whose rates add up to {total}",
            remedy="pass a positive share and rates that are not all zero",
        )
    return 1 / (share * total)


def corrected_decay(learning_rate: float, peak: float, weight_decay: float) -> float:
    """λη/η_max: the decay under which the equilibrium of a normalised layer ignores the schedule.

    The equilibrium norm goes with √(η/λ), and the rotation of a step with √(ηλ); with a constant λ
    the norm that decay asks for falls with the rate, and gradients, which go with 1/‖W‖, rise near
    the end. Only for layers whose output is normalised: of others the norm matters.

    Args:
        learning_rate: η of the step.
        peak: largest η of the schedule.
        weight_decay: λ at the peak.

    Raises:
        InputError: the peak is not positive.

    Source:
        Defazio 2025, arXiv:2506.02285, §4.

    Example:
        >>> corrected_decay(0.001, peak=0.01, weight_decay=0.1)
        0.01
    """
    if not peak > 0:
        raise InputError(f"the peak rate is {peak}", remedy="pass a positive number")
    return weight_decay * learning_rate / peak
