"""Steps against examples: what a batch size costs at a given noise scale."""

from __future__ import annotations

from typing import NamedTuple

from spectrain.core.errors import InputError


class Cost(NamedTuple):
    """What training to a given loss costs at one batch size.

    Attributes:
        steps: over the fewest possible, those of an endless batch.
        examples: over the fewest possible, those of the smallest batch.
    """

    steps: float
    examples: float


def batch_cost(batch: float, noise_scale: float) -> Cost:
    """S/S_min = 1 + B_noise/B steps and E/E_min = 1 + B/B_noise examples.

    (S/S_min − 1)(E/E_min − 1) = 1: at B = B_noise training takes twice the fewest steps and twice
    the fewest examples. Of stochastic gradient descent with a well-chosen rate at every batch size
    and one noise scale throughout; the scale is that of SGD, and an optimizer that preconditions or
    orthogonalizes has one of its own.

    Args:
        batch: B, in the unit of the noise scale.
        noise_scale: B_noise.

    Raises:
        InputError: one of the two is not positive.

    Source:
        McCandlish et al. 2018, eqs. (2.7) and (2.11).

    Example:
        >>> batch_cost(100, 300)
        Cost(steps=4.0, examples=1.3333333333333333)
    """
    if not (batch > 0 and noise_scale > 0):
        raise InputError(
            f"a batch of {batch} at a noise scale of {noise_scale}", remedy="pass positive numbers"
        )
    return Cost(1 + noise_scale / batch, 1 + batch / noise_scale)
