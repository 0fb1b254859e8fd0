"""The free scalar field on a ring: a target whose spectrum is known."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core import InputError


@dataclass(frozen=True, slots=True)
class LatticeField:
    """p(φ) ∝ exp(−½ φᵀKφ), K = (m² + 2)·1 − (neighbours), on a ring of N sites.

    The modes are plane waves: κ_k = m² + 2 − 2 cos(2πk/N), each twice but for the lowest and, at
    even N, the highest.

    Attributes:
        sites: N ≥ 3.
        mass_squared: m² > 0.

    Raises:
        InputError: an attribute is out of range.

    Source: Aarts, Lucini & Park, arXiv:2309.15002, §V.

    Example:
        >>> LatticeField(sites=4, mass_squared=4.0).modes
        tensor([4., 6., 6., 8.], dtype=torch.float64)
    """

    sites: int = 10
    mass_squared: float = 4.0

    def __post_init__(self) -> None:
        if self.sites < 3 or not self.mass_squared > 0:
            raise InputError(
                f"sites is {self.sites} and mass_squared {self.mass_squared}",
                remedy="pass three sites or more and a positive mass",
            )

    @property
    def modes(self) -> Float[Tensor, " sites"]:
        """κ_k, ascending."""
        momenta = 2 * torch.pi * torch.arange(self.sites, dtype=torch.float64) / self.sites
        return (self.mass_squared + 2 - 2 * momenta.cos()).sort().values

    @property
    def kernel(self) -> Float[Tensor, "sites sites"]:
        """K."""
        one = torch.eye(self.sites, dtype=torch.float64)
        return (self.mass_squared + 2) * one - one.roll(1, 0) - one.roll(-1, 0)

    @property
    def correlator(self) -> Float[Tensor, "sites sites"]:
        """⟨φφᵀ⟩ = K⁻¹."""
        return torch.linalg.inv(self.kernel)

    def sample(self, count: int, *, generator: torch.Generator) -> Float[Tensor, "count sites"]:
        """Independent configurations, in float64.

        Example:
            >>> field = LatticeField()
            >>> generator = torch.Generator().manual_seed(0)
            >>> drawn = field.sample(20_000, generator=generator)
            >>> bool((drawn.T @ drawn / 20_000 - field.correlator).abs().max() < 0.01)
            True
        """
        noise = torch.empty(count, self.sites, dtype=torch.float64).normal_(generator=generator)
        return noise @ torch.linalg.cholesky(self.correlator).mT
