"""Effects of changes out of the losses of arms, with intervals, and what may be adopted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrain.core import InputError

LEVEL = 0.95
"""Coverage of intervals of adopted changes."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change does to the held-out loss; below 0 is a gain.

    Attributes:
        value: the loss with the change less that without, on the same batches.
        error: standard error.
        degrees: degrees of freedom of the error.
        low: lower end of the interval.
        high: upper end.
        harm: probability that the change does harm, given the data and a flat prior.
    """

    value: float
    error: float
    degrees: int
    low: float
    high: float
    harm: float

    @property
    def gains(self) -> bool:
        """Whether the whole interval lies below 0."""
        return self.high < 0


NEVER = Effect(float("inf"), float("inf"), 0, float("-inf"), float("inf"), 1.0)
"""The effect of what diverges."""


def effect_of(value: float, error: float, degrees: int, *, level: float = LEVEL) -> Effect:
    """An effect from an estimate with a t distribution.

    Example:
        >>> effect = effect_of(-0.02, 0.005, 7)
        >>> effect.gains, round(effect.harm, 4)
        (True, 0.0026)
    """
    from scipy.stats import t

    if error == 0 or not np.isfinite(error):
        harm = 0.5 if value == 0 else float(value > 0)
        spread = 0.0 if error == 0 else np.inf
        return Effect(value, error, degrees, value - spread, value + spread, harm)
    reach = float(t.ppf((1 + level) / 2, degrees)) * error
    return Effect(
        value, error, degrees, value - reach, value + reach, float(t.sf(-value / error, degrees))
    )


def paired(differences: NDArray[np.floating], *, level: float = LEVEL) -> Effect:
    """The mean of paired differences, window by window.

    Args:
        differences: loss of the arm less that of the base, one for each window.
        level: coverage of the interval.

    Raises:
        InputError: there are fewer than two windows.

    Example:
        >>> round(paired(np.array([-0.03, -0.02, -0.025])).value, 4)
        -0.025
    """
    count = len(differences)
    if count < 2:
        raise InputError("one window tells no error", remedy="take two windows at least")
    error = float(np.std(differences, ddof=1) / np.sqrt(count))
    return effect_of(float(np.mean(differences)), error, count - 1, level=level)


def main_effects(
    design: NDArray[np.integer], losses: NDArray[np.floating], *, level: float = LEVEL
) -> list[Effect]:
    """Effects of the columns of a design over windows, by least squares with windows as blocks.

    yᵢw = μ_w + Σⱼ xᵢⱼβⱼw + ε. The error of β_j, the mean of β_jw, is the larger of two: the one
    pooled over all arms, which holds what interactions of changes leave, and the scatter of
    β_jw between windows.

    Args:
        design: arms × changes, 0 or 1.
        losses: arms × windows; an arm that diverged (NaN or Inf) is left out with its whole row.
        level: coverage of the intervals.

    Raises:
        InputError: the arms that are left cannot tell the changes apart.

    Example:
        >>> design = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
        >>> losses = np.array([[3.0, 3.1], [2.9, 3.0], [3.0, 3.1], [2.9, 3.01]])
        >>> [round(effect.value, 4) for effect in main_effects(design, losses)]
        [-0.0975, 0.0025]
    """
    finite = np.isfinite(losses).all(axis=1)
    x = design[finite].astype(float)
    y = losses[finite]
    x = x - x.mean(axis=0)
    y = y - y.mean(axis=0)
    arms, changes = x.shape
    windows = y.shape[1]
    if np.linalg.matrix_rank(x) < changes:
        raise InputError(
            f"{int((~finite).sum())} of {len(finite)} arms diverged, and the rest cannot tell the "
            "changes apart",
            remedy="lower the rates of the base, or try fewer changes",
        )
    inverse = np.linalg.inv(x.T @ x)
    each = inverse @ x.T @ y  # changes × windows
    rest = y - x @ each
    degrees = (arms - 1 - changes) * windows
    pooled = np.sqrt((rest**2).sum() / max(degrees, 1) * inverse.diagonal() / windows)
    between = each.std(axis=1, ddof=min(windows - 1, 1)) / np.sqrt(windows)
    unknown = degrees < 1 and windows < 2
    return [
        effect_of(
            float(value),
            float("inf") if unknown else float(max(one, other)),
            windows - 1 if other >= one and windows > 1 else max(degrees, 1),
            level=level,
        )
        for value, one, other in zip(each.mean(axis=1), pooled, between, strict=True)
    ]
