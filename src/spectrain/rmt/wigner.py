"""The Wigner semicircle: eigenvalues of a symmetric random matrix."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
import torch
from jaxtyping import Float

from spectrain.rmt.ensembles import hermite_eigenvalues
from spectrain.rmt.law import (
    Array,
    Fit,
    Numbers,
    Values,
    as_float,
    finite_sample,
    require_order,
    require_positive,
)


@dataclass(frozen=True, slots=True)
class WignerSemicircle:
    """p(x) = √(4σ² − (x − c)²)/(2πσ²) on c ± 2σ.

    The limit law of the eigenvalues of a symmetric n × n matrix with independent entries of mean
    zero and variance σ²/n, plus c times the identity.

    Attributes:
        variance: σ², the variance of the off-diagonal entries times n; also that of the law.
        centre: c.

    Raises:
        InputError: the variance is not positive.

    Source: Wigner, On the distribution of the roots of certain symmetric matrices (1958).

    Example:
        >>> law = WignerSemicircle(variance=4.0)
        >>> law.edges, law.moment(4)  # E x⁴ = 2σ⁴
        ((-4.0, 4.0), 32.0)
    """

    variance: float = 1.0
    centre: float = 0.0

    def __post_init__(self) -> None:
        require_positive(variance=self.variance)

    @property
    def edges(self) -> tuple[float, float]:
        """C ± 2σ."""
        radius = 2 * float(np.sqrt(self.variance))
        return self.centre - radius, self.centre + radius

    def density(self, x: Numbers) -> Float[Array, "*shape"]:
        """p(x)."""
        u = self._unit(x)
        return np.asarray(np.sqrt(1 - u**2) / (np.pi * np.sqrt(self.variance)))

    def distribution(self, x: Numbers) -> Float[Array, "*shape"]:
        """1/2 + u√(1 − u²)/π + arcsin(u)/π, u = (x − c)/2σ."""
        u = self._unit(x)
        return np.asarray(0.5 + (u * np.sqrt(1 - u**2) + np.arcsin(u)) / np.pi)

    def moment(self, order: int) -> float:
        """∫ xᵏ p: for c = 0 the Catalan numbers, C_j σ²ʲ at k = 2j."""
        require_order(order)
        return float(
            sum(
                comb(order, 2 * j)
                * self.centre ** (order - 2 * j)
                * (comb(2 * j, j) / (j + 1) * self.variance**j)
                for j in range(order // 2 + 1)
            )
        )

    def sample(
        self, count: int, *, size: int, generator: torch.Generator
    ) -> Float[Array, "count size"]:
        """Spectra of ``count`` matrices of the Gaussian orthogonal ensemble, ``size`` each."""
        return self.centre + hermite_eigenvalues(
            size, count=count, generator=generator, variance=self.variance
        )

    def _unit(self, x: Numbers) -> Values:
        return np.clip((as_float(x) - self.centre) / (2 * np.sqrt(self.variance)), -1, 1)


def fit_wigner_semicircle(levels: Float[Array, "*matrices n"]) -> Fit[WignerSemicircle]:
    """Fit centre and variance to spectra of symmetric random matrices, by their traces.

    tr X and tr X² carry all that a Gaussian matrix knows of c and σ². Since n Σxᵢ²/2σ² is χ² with
    n(n + 1)/2 degrees of freedom and x̄ is normal, both estimates and errors are exact:
    ĉ = x̄, sd σ√2/n; σ̂² = n Σ(xᵢ − ĉ)²/((n + 2)(n − 1)), sd 2σ²/√((n + 2)(n − 1)). Several
    matrices are averaged.

    Args:
        levels: eigenvalues of matrices of size n > 1.

    Raises:
        InputError: fewer than two levels, or not all finite.

    Source: moments of the Gaussian orthogonal ensemble (Mehta, Random Matrices, ch. 3).

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> fit = fit_wigner_semicircle(WignerSemicircle(2.0, 1.0).sample(
        ...     50, size=20, generator=generator))
        >>> round(fit.law.centre, 2), round(fit.law.variance, 2), round(fit.errors["variance"], 3)
        (1.0, 1.99, 0.028)
    """
    spectra = np.atleast_2d(finite_sample("levels", levels, least=2))
    matrices, size = spectra.shape
    freedom = (size + 2) * (size - 1)
    means = spectra.mean(-1, keepdims=True)
    variance = float(size * ((spectra - means) ** 2).sum(-1).mean() / freedom)
    errors = {
        "centre": float(np.sqrt(2 * variance / matrices) / size),
        "variance": float(2 * variance / np.sqrt(freedom * matrices)),
    }
    return Fit(WignerSemicircle(variance, float(means.mean())), errors)
