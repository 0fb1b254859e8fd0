"""Singular directions of a low-rank signal in isotropic noise: the phase transition of overlaps."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def spiked_overlaps(
    values: Float[Tensor, " k"], shape: tuple[int, int], variance: float
) -> tuple[Float[Tensor, " k"], Float[Tensor, " k"]]:
    """Squared overlaps (c_L², c_R²) of signal directions under iid additive noise, to all orders.

    With x = σ²: c_L² = (x² − mns⁴)/(x(x + ms²)), c_R² = (x² − mns⁴)/(x(x + ns²)) above the
    threshold x > s²√(mn), and 0 below it: there the direction is lost in the noise.

    Args:
        values: singular values σ_i of the signal, well separated.
        shape: (m, n), both large.
        variance: s², of one entry of the noise.

    Source:
        Benaych-Georges & Nadakuditi 2012, §3.1.

    Example:
        >>> import torch
        >>> left, right = spiked_overlaps(torch.tensor([1.5, 0.8]), (300, 600), 1 / 600)
        >>> left, right
        (tensor([0.7374, 0.0000]), tensor([0.6239, 0.0000]))
    """
    m, n = shape
    x = values.square()
    room = (x.square() - m * n * variance**2).clamp(min=0)
    safe = torch.where(x == 0, 1.0, x)
    return room / (safe * (x + m * variance)), room / (safe * (x + n * variance))
