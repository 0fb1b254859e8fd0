"""The noise twin's path: the norms that a schedule, its decay and updates of pure noise lead to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float64, Int64

from spectrain.regime.equilibrium import NoiseUpdate

Array = np.ndarray

Course: TypeAlias = Callable[[Float64[Array, " m"]], Float64[Array, " m"]]
"""A quantity as a function of the step."""

MOST_PARTS = 64
"""Parts into which the time between two records is cut."""


@dataclass(frozen=True, slots=True)
class Path:
    """What noise alone would have made of a block from its first recorded norm on.

    Attributes:
        squared: expected ‖W‖² after each recorded weight.
        initial: part of it that is left of the first weights.
        equilibrium: ‖W‖² at which the settings of that step would settle; NaN without decay.
        angle: angular update there, in radians.
        passed: relaxation times of ‖W‖² passed up to there.
    """

    squared: Float64[Array, " n"]
    initial: Float64[Array, " n"]
    equilibrium: Float64[Array, " n"]
    angle: Float64[Array, " n"]
    passed: Float64[Array, " n"]

    @property
    def initial_share(self) -> Float64[Array, " n"]:
        """Share of the first weights in the expected ‖W‖²."""
        return np.divide(
            self.initial, self.squared, out=np.ones_like(self.squared), where=self.squared > 0
        )

    @property
    def relaxations(self) -> float:
        """Relaxation times passed between first and last weight."""
        return float(self.passed[-1])


def noise_path(
    steps: Int64[Array, " n"],
    initial: float,
    *,
    rates: Course,
    decays: Course,
    energies: Course,
    update: NoiseUpdate,
) -> Path:
    """Follow n ← a²n + η²U²S_a from one recorded weight to the next, a = 1 − ηλ.

    Rate, decay and energy may change with the step. Between two records they are taken as constant
    within each of the parts into which that time is cut, and the memory of the updates as short
    against such changes and against 1/(ηλ).

    Args:
        steps: of the recorded weights, ascending.
        initial: ‖W‖² at the first of them.
        rates: learning rate η.
        decays: λ of decoupled decay, or what acts like it.
        energies: U² = E‖u‖² of the update u at learning rate 1 without decay: measured, or that of
            the optimizer's theory.
        update: whose autocorrelation is that of the updates; its energy is not used.

    Source:
        Kosson, Messmer & Jaggi 2024, Rotational equilibrium, §3, step by step.

    Example:
        >>> from spectrain.regime import adamw_noise
        >>> def constant(value):
        ...     return lambda steps: np.full(len(steps), value)
        >>> path = noise_path(
        ...     np.array([0, 20_000, 40_000]),
        ...     0.0,
        ...     rates=constant(0.01),
        ...     decays=constant(0.01),
        ...     energies=constant(adamw_noise(100).energy),
        ...     update=adamw_noise(100),
        ... )
        >>> path.squared.round(1).tolist(), path.equilibrium.round(1).tolist()
        ([0.0, 49.0, 49.9], [50.0, 50.0, 50.0])
    """
    fine, lengths, ends = _parts(steps)
    eta, products = rates(fine), rates(fine) * decays(fine)
    a = 1 - products
    fades = a ** (2 * lengths)
    lasting = np.where(a < 1, (1 - fades) / np.where(a < 1, 1 - a * a, 1.0), lengths)
    kicks = eta**2 * energies(fine) * update.persistence(a) * lasting
    norm, path = initial, [initial]
    for fade, kick, end in zip(fades.tolist(), kicks.tolist(), ends.tolist(), strict=True):
        norm = fade * norm + kick
        if end:
            path.append(norm)
    passed = relaxations_passed(steps, rates, decays)
    at = steps.astype(np.float64)
    settled = _settled(update, rates(at), decays(at), energies(at))
    return Path(np.array(path), initial * np.exp(-passed), *settled, passed)


def relaxations_passed(
    steps: Int64[Array, " n"], rates: Course, decays: Course
) -> Float64[Array, " n"]:
    """Relaxation times of ‖W‖² since the first of the steps: −2Σ log(1 − η_tλ_t).

    Example:
        >>> def constant(value):
        ...     return lambda steps: np.full(len(steps), value)
        >>> passed = relaxations_passed(np.array([0, 5000]), constant(0.01), constant(0.01))
        >>> passed.round(2).tolist()
        [0.0, 1.0]
    """
    fine, lengths, ends = _parts(steps)
    summed = np.cumsum(-2 * np.log1p(-rates(fine) * decays(fine)) * lengths)
    return np.append(0.0, summed[ends])


def _parts(steps: Int64[Array, " n"]) -> tuple[Array, Array, Array]:
    """Middle and length of each part of the time between records, and whether it is the last.

    A record is made after its step, so the steps between records s and t are s + 1 to t.
    """
    between = np.diff(steps)
    counts = np.minimum(between, MOST_PARTS)
    lengths = np.repeat(between / counts, counts)
    last = np.cumsum(counts)
    place = np.arange(len(lengths)) - np.repeat(last - counts, counts)
    middles = np.repeat(steps[:-1], counts) + (place + 0.5) * lengths + 0.5
    return middles, lengths, np.isin(np.arange(len(lengths)), last - 1)


def _settled(
    update: NoiseUpdate,
    rates: Float64[Array, " n"],
    decays: Float64[Array, " n"],
    energies: Float64[Array, " n"],
) -> tuple[Float64[Array, " n"], Float64[Array, " n"]]:
    """‖W‖² and angle at which the settings of each step would settle."""
    product = rates * decays
    defined = (product > 0) & (product < 1)
    safe = np.where(defined, product, 0.5)
    squared = rates**2 * energies * update.persistence(1 - safe) / (safe * (2 - safe))
    memory = np.ones_like(safe) if update.coupled else 1 - safe  # coupled: decay is in the update
    turned = rates**2 * energies / (2 * memory * np.where(squared, squared, 1.0))
    turned -= (1 - memory) ** 2 / (2 * memory)
    angle = 2 * np.arcsin(np.sqrt(turned.clip(0, 1) / 2))
    return np.where(defined, squared, np.nan), np.where(defined, angle, np.nan)
