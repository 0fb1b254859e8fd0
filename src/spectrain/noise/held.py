"""All that can be said of replicas that are held in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core import Record
from spectrain.matrix import polar
from spectrain.noise.deviations import deviations
from spectrain.noise.directions import TOP, directions
from spectrain.noise.estimate import LEVEL, NOT_FINITE, Estimate
from spectrain.noise.intervals import signal_to_noise
from spectrain.noise.moments import moments
from spectrain.noise.summary import (
    DirectionalNoise,
    ScalarNoise,
    estimate_record,
    scalar_measures,
    scalar_records,
)

LARGEST_FACTOR = 128
"""Smaller side of a matrix up to which the polar factor of every replica is taken."""


@dataclass(frozen=True, slots=True)
class HeldNoise:
    """The noise of one block.

    Attributes:
        measures: every scalar of :data:`~spectrain.noise.NOISE_MEASURES`.
        scalar: signal and noise with intervals.
        directional: singular directions; ``None`` where there are none.
        reason: why there are none.
        orthogonalized: signal-to-noise ratio of the replicas' polar factors; ``None`` for a vector.
    """

    measures: Mapping[str, float]
    scalar: ScalarNoise
    directional: DirectionalNoise | None
    reason: str | None = None
    orthogonalized: Estimate | None = None

    def scalar_records(
        self, step: int, block: str, *, examples: float | None = None
    ) -> list[Record]:
        """Rows of signal and noise; the noise scale needs the ``examples`` of a unit weight."""
        rows = scalar_records(step, block, self.scalar.in_units(examples), self.measures)
        if self.orthogonalized is not None:
            rows.append(estimate_record(step, block, "snr_orthogonalized", self.orthogonalized))
        return rows


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
        >>> held = held_noise(list(10 * torch.eye(20, 30) + noise), k=2)
        >>> held.scalar.snr_unbiased.covers(20 * 100 / 600)
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
    if not bool(summary.scatter.isfinite()):
        return HeldNoise(measures, scalar, None, NOT_FINITE)
    if not bool(summary.mean.any()):
        return HeldNoise(measures, scalar, None, "zero gradient")
    compared = directions(replicas, k=min(k, *shape), summary=summary, weights=weights)
    directional = DirectionalNoise.of(compared, (shape[0], shape[1]), level=level)
    return HeldNoise(
        measures, scalar, directional, orthogonalized=_orthogonalized(replicas, level=level)
    )


def _orthogonalized(replicas: Sequence[Float[Tensor, "m n"]], *, level: float) -> Estimate:
    """‖E P‖²/tr Cov P of the polar factors P of replicas, which Muon's update is made of.

    The factor of a mean is not the mean of factors: the ratio is that of factors of replicas.
    """
    if min(replicas[0].shape) > LARGEST_FACTOR:
        reason = f"the smaller side is above {LARGEST_FACTOR}: factors would cost too much"
        return Estimate.missing(reason, replicas=len(replicas), level=level)
    factors = polar(torch.stack(list(replicas))).factor
    spread = deviations(factors, moments(factors), window=len(replicas) - 1)
    return signal_to_noise(spread, level=level)
