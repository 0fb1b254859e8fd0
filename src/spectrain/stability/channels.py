"""Outlying channels: how unevenly the energy of an activation lies over its features.

Few channels of much more energy than the others set the scale of a quantizer, and the others round
away.
"""

from __future__ import annotations

from math import ceil

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core.measure import Reduction, Registry

STABILITY_MEASURES = Registry()
"""Measures of the energies of channels, by name."""

LARGEST = 0.01
"""Share of the channels, one at least, that counts as the largest."""


@STABILITY_MEASURES.register(
    unit="1",
    formula="mean_j s_j⁴ / (mean_j s_j²)², s_j² the energy of channel j (1 if all are alike)",
    citation="He et al. 2024, arXiv:2405.19279, eq. (1)",
    reduction=Reduction.MOMENTS,
)
def channel_kurtosis(energies: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
    """Kurtosis of the channels' root mean squares; d where one of d channels has all energy.

    Example:
        >>> channel_kurtosis(torch.ones(4)).item(), channel_kurtosis(torch.eye(4)[0]).item()
        (1.0, 4.0)
    """
    work = energies.double()
    return work.square().mean(-1) / work.mean(-1).square()


@STABILITY_MEASURES.register(
    unit="1",
    formula="Σ s_j² over the largest hundredth of the channels (one at least) / Σ s_j²",
    citation="this project; outliers of few features: Dettmers et al. 2022, arXiv:2208.07339, §3",
    reduction=Reduction.MOMENTS,
)
def top_channel_share(energies: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
    """Share of the energy that the largest hundredth of the channels holds.

    Example:
        >>> top_channel_share(torch.tensor([1.0, 3.0])).item()
        0.75
    """
    work = energies.double()
    count = ceil(LARGEST * work.shape[-1])
    return torch.topk(work, count, dim=-1).values.sum(-1) / work.sum(-1)
