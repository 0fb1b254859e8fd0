"""The stochastic Coulomb gas: the stationary law of eigenvalues in a potential."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core import InputError
from spectrain.rmt.law import require_positive


@dataclass(frozen=True, slots=True)
class CoulombGas:
    """P(x₁, …, x_n) ∝ ∏_{i<j} |xᵢ − xⱼ|^β exp(−Σ Vᵢ(xᵢ)/g²).

    Where eigenvalues under Dyson Brownian motion with drift Kᵢ = −Vᵢ′ come to rest (β = 1). With
    V = x²/2 it is the Gaussian ensemble.

    Attributes:
        potential: V, from levels to an equal-shaped tensor, elementwise; the i-th level has the
            i-th potential. Infinite where no level may be.
        g: amplitude of the noise.
        beta: strength of the repulsion; 0 for independent levels.

    Raises:
        InputError: g is not positive, or beta negative.

    Source: Dyson (1962); Aarts, Lucini & Park, arXiv:2407.16427.

    Example:
        >>> gas = CoulombGas(lambda x: x**2 / 2, g=1.0)
        >>> gas.log_density(torch.tensor([-1.0, 1.0]))  # log 2 − 1
        tensor(-0.3069)
    """

    potential: Callable[[Tensor], Tensor]
    g: float
    beta: float = 1.0

    def __post_init__(self) -> None:
        require_positive(g=self.g)
        if self.beta < 0:
            raise InputError(f"beta is {self.beta}", remedy="pass 1 for real matrices")

    def log_density(self, levels: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch"]:
        """The logarithm of P up to its constant."""
        size = levels.shape[-1]
        i, j = torch.triu_indices(size, size, offset=1, device=levels.device)
        repulsion = (levels[..., i] - levels[..., j]).abs().log().sum(-1)
        return self.beta * repulsion - self.potential(levels).sum(-1) / self.g**2

    def sample(
        self,
        start: Float[Tensor, "chains n"],
        *,
        sweeps: int,
        width: float,
        generator: torch.Generator,
    ) -> tuple[Float[Tensor, "chains n"], Float[Tensor, ""]]:
        """Metropolis: every chain moves one level after the other, all chains at once.

        The law is exact, with no error of a time step: the check for Dyson Brownian motion.
        Chains forget their start in the order of (range/width)² sweeps.

        Args:
            start: levels of every chain, of finite potential and all different.
            sweeps: number of times that every level is moved.
            width: standard deviation of a proposed move; near σ of the levels 40 % are accepted.
            generator: source of the randomness, on the device of the levels.

        Returns:
            Levels after the last sweep (not sorted: levels may pass each other), and the fraction
            of moves that was accepted.

        Raises:
            InputError: the start has probability zero, or a setting is out of range.

        Source: Metropolis et al. (1953).

        Example:
            >>> gas = CoulombGas(lambda x: x**2 / 2, g=1.0)
            >>> generator = torch.Generator().manual_seed(0)
            >>> start = torch.tensor([-1.0, 1.0]).expand(4000, 2)
            >>> levels, _ = gas.sample(start, sweeps=50, width=1.5, generator=generator)
            >>> round((levels[:, 0] - levels[:, 1]).abs().mean().item(), 1)  # √π
            1.8
        """
        require_positive(width=width, sweeps=sweeps)
        levels = start.clone()
        if not bool(torch.isfinite(self.log_density(levels)).all()):
            raise InputError(
                "a chain starts where the density is zero",
                remedy="start from different levels inside the potential",
            )
        chains, size = levels.shape
        accepted = levels.new_zeros(())
        energy = self.potential(levels)
        for _ in range(sweeps):
            for i in range(size):
                proposal = levels.clone()
                proposal[:, i] += width * levels.new_empty(chains).normal_(generator=generator)
                threshold = -levels.new_empty(chains).exponential_(generator=generator)
                moved = self.potential(proposal)
                others = torch.arange(size, device=levels.device) != i
                closer = (proposal[:, i, None] - levels[:, others]).abs().log()
                before = (levels[:, i, None] - levels[:, others]).abs().log()
                gain = self.beta * (closer - before).sum(-1)
                gain = gain - (moved[:, i] - energy[:, i]) / self.g**2
                accept = threshold < gain
                levels = torch.where(accept[:, None], proposal, levels)
                energy = torch.where(accept[:, None], moved, energy)
                accepted = accepted + accept.to(levels.dtype).mean()
        return levels, accepted / (sweeps * size)
