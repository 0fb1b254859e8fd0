"""Least squares, where the comparison of spectral and Euclidean steps is a theorem."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core.errors import InputError
from spectrain.matrix import polar


@dataclass(frozen=True, slots=True)
class LeastSquares:
    """L(W) = ‖WA − Y‖_F²/2n over W (m × k), with A (k × n) and Y (m × n).

    The quadratic term of L(W + U) is ‖UA‖_F²/2n, which ‖U‖_F²·L_F/2 and ‖U‖_op²·L_op/2 bound, with
    L_F = ‖A‖_op²/n and L_op = ‖A‖_F²/n; their ratio is the stable rank of A. Minimising either
    bound gives the two natural steps.

    Attributes:
        features: A.
        targets: Y.

    Raises:
        InputError: A and Y have different numbers of columns.

    Source:
        Davis & Drusvyatskiy, eqs. (1.3)–(1.5).

    Example:
        >>> import torch
        >>> problem = LeastSquares(torch.eye(2), torch.tensor([[3.0, 4.0]]))
        >>> problem.loss(torch.zeros(1, 2)).item()  # (9 + 16)/(2·2)
        6.25
        >>> problem.loss(problem.euclidean_step(torch.zeros(1, 2))).item()
        0.0
    """

    features: Float[Tensor, "k n"]
    targets: Float[Tensor, "m samples"]

    def __post_init__(self) -> None:
        if self.features.shape[1] != self.targets.shape[1]:
            raise InputError(
                f"features have {self.features.shape[1]} columns, targets {self.targets.shape[1]}",
                remedy="pass one column of each per sample",
            )

    @property
    def samples(self) -> int:
        """The number n of columns."""
        return self.features.shape[1]

    @property
    def euclidean_curvature(self) -> Float[Tensor, ""]:
        """L_F = ‖A‖_op²/n, eq. (1.4)."""
        return torch.linalg.matrix_norm(self.features, 2).square() / self.samples

    @property
    def spectral_curvature(self) -> Float[Tensor, ""]:
        """L_op = ‖A‖_F²/n, eq. (1.4)."""
        return torch.linalg.matrix_norm(self.features).square() / self.samples

    def loss(self, weights: Float[Tensor, "m k"]) -> Float[Tensor, ""]:
        """L(W)."""
        residual = weights @ self.features - self.targets
        return residual.square().sum() / (2 * self.samples)

    def gradient(self, weights: Float[Tensor, "m k"]) -> Float[Tensor, "m k"]:
        """∇L(W) = (WA − Y)Aᵀ/n."""
        return (weights @ self.features - self.targets) @ self.features.mT / self.samples

    def euclidean_step(self, weights: Float[Tensor, "m k"]) -> Float[Tensor, "m k"]:
        """W − ∇L/L_F."""
        return weights - self.gradient(weights) / self.euclidean_curvature

    def spectral_step(self, weights: Float[Tensor, "m k"]) -> Float[Tensor, "m k"]:
        """W − (‖∇L‖_*/L_op)·polar(∇L)."""
        gradient = self.gradient(weights)
        factor = polar(gradient).factor
        nuclear = (gradient * factor).sum()
        return weights - nuclear / self.spectral_curvature * factor
