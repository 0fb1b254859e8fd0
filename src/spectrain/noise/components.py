"""Variances of left, right and isotropic noise, read off the scatter in the SVD basis."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core.errors import InputError
from spectrain.noise.estimate import LEVEL, Estimate, jackknife


@dataclass(frozen=True, slots=True)
class NoiseComponents:
    """Components of Var Δ_ij = σ_j² Var Ã_ij + σ_i² Var B̃_ij + 2σ_iσ_j cov(Ã_ij, B̃_ij) + s².

    Attributes:
        left: Var Ã_ij.
        right: Var B̃_ij.
        cross: cov(Ã_ij, B̃_ij).
        isotropic: s², in the unit of the gradient squared.
    """

    left: Estimate
    right: Estimate
    cross: Estimate
    isotropic: Estimate


def noise_components(
    projections: Float[Tensor, "replicas k k"],
    values: Float[Tensor, " k"],
    *,
    level: float = LEVEL,
) -> NoiseComponents:
    """Least squares for the four components over all off-diagonal pairs of directions.

    Each pair is weighted by 1/(σ_i² + σ_j²), so that small directions count too. A component may
    come out negative within its error.

    Args:
        projections: UᵀG_rV of the replicas in the basis of their mean, as in
            :class:`~spectrain.noise.Directions`.
        values: singular values of the mean.
        level: nominal coverage of the jackknife intervals.

    Raises:
        InputError: fewer than 3 directions: four components cannot be told apart.

    Source:
        Δ = ÃΣ + ΣB̃ of “Multiplicative noise model for minibatch gradients”, with an isotropic rest.

    Example:
        >>> import torch
        >>> sigma = torch.tensor([8.0, 4.0, 2.0, 1.0])
        >>> x = torch.randn(400, 4, 4, generator=torch.Generator().manual_seed(0))
        >>> components = noise_components(torch.diag(sigma) + 0.1 * x @ torch.diag(sigma), sigma)
        >>> components.left.covers(0.01), components.right.covers(0.0)
        (True, True)
    """
    count, k = projections.shape[0], values.numel()
    if k < 3:
        raise InputError(f"{k} directions", remedy="take at least 3")
    if count < 4:
        few = Estimate.missing("fewer than 4 replicas", replicas=count, level=level)
        return NoiseComponents(few, few, few, few)
    x = projections.double()
    squares = (x - x.mean(0)).square()
    total = squares.sum(0)
    variance = total / (count - 1)
    left_out = (total - squares * (count / (count - 1))) / (count - 2)
    whole = _solve(variance.unsqueeze(0), values)[0]
    rest = _solve(left_out, values)
    return NoiseComponents(
        *(jackknife(whole[i].item(), rest[:, i].cpu(), level=level) for i in range(4))
    )


def _solve(variance: Float[Tensor, "batch k k"], values: Tensor) -> Float[Tensor, "batch 4"]:
    scale = values.double()[0]
    s = values.double() / scale
    row, column = s.unsqueeze(1).expand(-1, s.numel()), s.expand(s.numel(), -1)
    design = torch.stack(
        [column.square(), row.square(), 2 * row * column, torch.ones_like(row)], -1
    )
    pairs = ~torch.eye(s.numel(), dtype=torch.bool, device=s.device)
    weight = 1 / (row.square() + column.square())[pairs]
    right = (variance[:, pairs] / scale**2 * weight).mT
    solution = torch.linalg.lstsq(design[pairs] * weight.unsqueeze(1), right).solution.mT
    return solution * torch.stack([s.new_ones(()), s.new_ones(()), s.new_ones(()), scale**2])
