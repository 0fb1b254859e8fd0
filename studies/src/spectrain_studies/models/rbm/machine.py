"""The scalar-field restricted Boltzmann machine: a Gaussian law with one weight matrix."""

from __future__ import annotations

from dataclasses import dataclass
from math import log, pi

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core import InputError


@dataclass(frozen=True, slots=True)
class ScalarRBM:
    """p(φ, h) ∝ exp(−½μ²φᵀφ − hᵀh/2σ_h² + φᵀWh), all units real.

    Integrating h out leaves p(φ) ∝ exp(−½ φᵀKφ), K = μ²1 − σ_h²WWᵀ: a proper law while all
    σ_h²ξ² < μ², ξ the singular values of W. Methods take stacks of weights.

    Attributes:
        mass_squared: μ².
        hidden_variance: σ_h².

    Raises:
        InputError: an attribute is not positive.

    Source: Aarts, Lucini & Park, arXiv:2309.15002, §III.

    Example:
        >>> machine = ScalarRBM(mass_squared=9.0)
        >>> machine.kernel(torch.tensor([[2.0], [0.0]]))
        tensor([[5., 0.],
                [0., 9.]])
    """

    mass_squared: float
    hidden_variance: float = 1.0

    def __post_init__(self) -> None:
        if not (self.mass_squared > 0 and self.hidden_variance > 0):
            raise InputError(
                f"mass_squared is {self.mass_squared} and hidden_variance {self.hidden_variance}",
                remedy="pass positive numbers",
            )

    def kernel(self, weights: Float[Tensor, "*runs n h"]) -> Float[Tensor, "*runs n n"]:
        """K = μ²1 − σ_h²WWᵀ."""
        one = torch.eye(weights.shape[-2], dtype=weights.dtype, device=weights.device)
        return self.mass_squared * one - self.hidden_variance * weights @ weights.mT

    def log_likelihood(
        self, weights: Float[Tensor, "*runs n h"], correlator: Float[Tensor, "n n"]
    ) -> Float[Tensor, "*runs"]:
        """Mean log p(φ) of data with ⟨φφᵀ⟩ = C, in nats: ½(log det K − tr KC − N log 2π).

        −∞ where K is not positive definite.
        """
        kernel = self.kernel(weights)
        factor, failed = torch.linalg.cholesky_ex(kernel)
        log_det = 2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        trace = (kernel * correlator).sum((-2, -1))
        value = (log_det - trace - weights.shape[-2] * log(2 * pi)) / 2
        return torch.where(failed == 0, value, -torch.inf)

    def gradient(
        self, weights: Float[Tensor, "*runs n h"], correlator: Float[Tensor, "n n"]
    ) -> Float[Tensor, "*runs n h"]:
        """∂ log-likelihood/∂W = σ_h²(C − K⁻¹)W, the mean of what contrastive divergence follows."""
        model = torch.linalg.solve(self.kernel(weights), weights)
        return self.hidden_variance * (correlator @ weights - model)

    def drift(
        self, x: Float[Tensor, "*levels"], target: float | Float[Tensor, "*levels"]
    ) -> Float[Tensor, "*levels"]:
        """Mean change of an eigenvalue x of WᵀW per unit of learning rate, for the mode κ = target.

        2σ_h²(1/κ − 1/(μ² − σ_h²x))x, where the eigenvectors of WWᵀ are those of the target: twice
        the K(x) of :class:`spectrain.rmt.RBMMode`, which leaves the 2 out.
        """
        here = self.mass_squared - self.hidden_variance * x
        return 2 * self.hidden_variance * (1 / target - 1 / here) * x

    def fixed_points(self, modes: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        """X = (μ² − κ)/σ_h² for κ < μ², where the mode is learnt, else 0."""
        return ((self.mass_squared - modes) / self.hidden_variance).clamp_min(0)

    def start_at(
        self, kernel: Float[Tensor, "n n"], hidden: int, *, count: int, generator: torch.Generator
    ) -> Float[Tensor, "count n hidden"]:
        """Weights that have learnt a target kernel, as far as μ² and the hidden units allow.

        W = U √x Vᵀ with the lowest modes first and V orthonormal and random.

        Raises:
            InputError: no hidden unit, or more than visible ones.
        """
        visible = len(kernel)
        if not 1 <= hidden <= visible:
            raise InputError(
                f"{hidden} hidden units for {visible} visible ones",
                remedy="pass at least one and at most as many as there are visible units",
            )
        modes, vectors = torch.linalg.eigh(kernel)
        values = self.fixed_points(modes[:hidden]).sqrt()
        gaussian = torch.empty(count, hidden, hidden, dtype=kernel.dtype)
        turned = torch.linalg.qr(gaussian.normal_(generator=generator)).Q
        return (vectors[:, :hidden] * values) @ turned.mT

    def sample(
        self, weights: Float[Tensor, "*runs n h"], count: int, *, generator: torch.Generator
    ) -> Float[Tensor, "*runs count n"]:
        """Independent draws of the visible units.

        Raises:
            InputError: K is not positive definite.
        """
        factor, failed = torch.linalg.cholesky_ex(self.kernel(weights))
        if bool((failed != 0).any()):
            raise InputError(
                "the kernel is not positive definite", remedy="raise mass_squared or train again"
            )
        shape = (*weights.shape[:-2], weights.shape[-2], count)
        noise = weights.new_empty(shape).normal_(generator=generator)
        return torch.linalg.solve_triangular(factor.mT, noise, upper=True).mT
