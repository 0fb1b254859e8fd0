"""The learning rate through training."""

from __future__ import annotations

from math import cos, pi
from typing import Literal


def learning_rate_factor(
    step: int,
    *,
    steps: int,
    warmup: float,
    cooldown: float,
    cooldown_shape: Literal["cosine", "linear"],
) -> float:
    """Share of the peak learning rate at a step: a linear rise, a plateau, a fall to zero.

    With t = (steps − step)/(cooldown · steps) the share of the cooldown that is left: t where it
    is linear, (1 − cos πt)/2 where it is a cosine. Where rise and fall overlap the smaller holds.

    Args:
        step: optimizer steps done, from 0 to steps − 1.
        steps: length of the training.
        warmup: share of the steps that rise; 0 for none.
        cooldown: share of the steps that fall; 0 for none.
        cooldown_shape: shape of the fall.

    Example:
        >>> factor = dict(steps=100, warmup=0.1, cooldown=0.5, cooldown_shape="linear")
        >>> [learning_rate_factor(step, **factor) for step in (0, 9, 50, 75)]
        [0.1, 1.0, 1.0, 0.5]
    """
    rise = (step + 1) / max(1.0, warmup * steps)
    left = min(1.0, (steps - step) / max(1.0, cooldown * steps))
    fall = left if cooldown_shape == "linear" else (1 - cos(pi * left)) / 2
    return min(1.0, rise, fall)
