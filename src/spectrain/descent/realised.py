"""The decrease that a step really brings, measured on the batch that gave its gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.matrix import polar

GRID = 12
"""Halvings of the first trial length that the line search goes through at most."""


@dataclass(frozen=True, slots=True)
class RealisedDecrease:
    """Largest decrease of the loss found along −G and along −polar(G), on one batch.

    Attributes:
        euclidean: decrease along −G.
        spectral: decrease along −polar(G).
        euclidean_length: Frobenius norm of the step that brought it.
        spectral_length: operator norm of the step that brought it.
    """

    euclidean: float
    spectral: float
    euclidean_length: float
    spectral_length: float

    @property
    def ratio(self) -> float:
        """Δ_spectral/Δ_euclidean; infinite where only the spectral step gained anything."""
        if self.euclidean == 0.0:
            return float("inf") if self.spectral > 0.0 else float("nan")
        return self.spectral / self.euclidean


@torch.no_grad()
def realised_decrease(
    loss: Callable[[], float],
    parameter: Float[Tensor, "m n"] | Float[Tensor, " n"],
    gradient: Float[Tensor, "m n"] | Float[Tensor, " n"],
    *,
    euclidean_length: float,
    spectral_length: float,
) -> RealisedDecrease:
    """Line search of the loss along both directions from the same weights and batch.

    From the given lengths on, a length is doubled while that lowers the loss further, else halved
    until it does; then √2 on either side is tried. The parameter is put back bit by bit. A vector
    stands for its diagonal matrix, whose polar factor is the sign.

    Args:
        loss: evaluates the batch's loss at the current weights, deterministically.
        parameter: W, in place in the model.
        gradient: G at W on the same batch.
        euclidean_length: Frobenius norm of the first trial step along −G.
        spectral_length: operator norm of the first trial step along −polar(G).

    Source:
        Davis & Drusvyatskiy, §1.2: the criterion compares guarantees; this compares outcomes.

    Example:
        >>> import torch
        >>> w = torch.tensor([[3.0, 0.0], [0.0, 1.0]])
        >>> decrease = realised_decrease(
        ...     lambda: 0.5 * w.square().sum().item(), w, w.clone(),
        ...     euclidean_length=10**0.5, spectral_length=2.0)
        >>> decrease.euclidean, decrease.spectral  # W − W = 0; W − 2·I leaves ½(1 + 1)
        (5.0, 4.0)
    """
    saved = parameter.clone()
    start = loss()
    norm = torch.linalg.vector_norm(gradient)

    def best(direction: Tensor, length: float) -> tuple[float, float]:
        def decrease(scale: float) -> float:
            parameter.copy_(saved - scale * direction)
            return start - loss()

        gain, scale = decrease(length), length
        trial = 2 * scale
        while (longer := decrease(trial)) > gain and trial < length * 2**GRID:
            gain, scale, trial = longer, trial, 2 * trial
        trial = scale / 2
        while trial > length / 2**GRID and (shorter := decrease(trial)) > gain:
            gain, scale, trial = shorter, trial, trial / 2
        between = [(decrease(s), s) for s in (scale / 2**0.5, scale * 2**0.5)]
        gain, scale = max([(gain, scale), *between])
        return (gain, scale) if gain > 0 else (0.0, 0.0)

    try:
        euclidean = best(gradient / torch.where(norm == 0, 1.0, norm), euclidean_length)
        factor = gradient.sign() if gradient.ndim == 1 else polar(gradient).factor
        spectral = best(factor, spectral_length)
    finally:
        parameter.copy_(saved)
    return RealisedDecrease(euclidean[0], spectral[0], euclidean[1], spectral[1])
