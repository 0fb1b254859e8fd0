"""All that can be said of replicas that are held in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from spectrain.core import Record
from spectrain.noise.deviations import deviations
from spectrain.noise.directions import TOP, directions
from spectrain.noise.estimate import LEVEL
from spectrain.noise.moments import moments
from spectrain.noise.summary import (
    DirectionalNoise,
    ScalarNoise,
    scalar_measures,
    scalar_records,
)


@dataclass(frozen=True, slots=True)
class HeldNoise:
    """The noise of one block.

    Attributes:
        measures: every scalar of :data:`~spectrain.noise.NOISE_MEASURES`.
        scalar: signal and noise with intervals.
        directional: singular directions; ``None`` where there are none.
        reason: why there are none.
    """

    measures: Mapping[str, float]
    scalar: ScalarNoise
    directional: DirectionalNoise | None
    reason: str | None = None

    def scalar_records(
        self, step: int, block: str, *, examples: float | None = None
    ) -> list[Record]:
        """Rows of signal and noise; the noise scale needs the ``examples`` of a unit weight."""
        return scalar_records(step, block, self.scalar.in_units(examples), self.measures)


def held_noise(
    replicas: Sequence[Float[Tensor, "*shape"]],
    *,
    weights: Sequence[float] | None = None,
    k: int = TOP,
    level: float = LEVEL,
) -> HeldNoise:
    """Signal, noise and directions of replicas, wherever they come from: microbatches or ranks.

    Args:
        replicas: at least two, of one shape, each the mean of so many draws as its weight says.
        weights: 1 if none are given.
        k: number of singular directions of a matrix.
        level: nominal coverage of the intervals.

    Example:
        >>> import torch
        >>> noise = torch.randn(6, 20, 30, generator=torch.Generator().manual_seed(0))
        >>> found = held_noise(list(10 * torch.eye(20, 30) + noise), k=2)
        >>> found.scalar.snr_unbiased.covers(20 * 100 / 600)
        True
    """
    count, shape = len(replicas), replicas[0].shape
    summary = moments(replicas, weights=weights, entrywise=True)
    spread = deviations(replicas, summary, weights=weights, window=max(count - 1, 1))
    measures, scalar = scalar_measures(summary), ScalarNoise.of(spread, level=level)
    if len(shape) != 2:
        return HeldNoise(measures, scalar, None, "a vector has no singular directions")
    if count < 3:
        return HeldNoise(measures, scalar, None, "fewer than 3 replicas")
    if not bool(summary.mean.any()):
        return HeldNoise(measures, scalar, None, "zero gradient")
    found = directions(replicas, k=min(k, *shape), summary=summary, weights=weights)
    directional = DirectionalNoise.of(found, (shape[0], shape[1]), level=level)
    return HeldNoise(measures, scalar, directional)
