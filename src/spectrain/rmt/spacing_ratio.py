"""Ratios of consecutive spacings: level repulsion without unfolding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float

from spectrain.core import InputError
from spectrain.rmt.ensembles import hermite_eigenvalues
from spectrain.rmt.jackknife import jackknife
from spectrain.rmt.law import (
    Array,
    Numbers,
    as_float,
    bisect,
    finite_sample,
    legendre,
    numpy_generator,
    require_order,
)

NORMS = {0: 1.0, 1: 8 / 27, 2: 4 * np.pi / (81 * np.sqrt(3)), 4: 4 * np.pi / (729 * np.sqrt(3))}
MEANS = {
    0: 2 * np.log(2) - 1,
    1: 4 - 2 * np.sqrt(3),
    2: 2 * np.sqrt(3) / np.pi - 0.5,
    4: 32 * np.sqrt(3) / (15 * np.pi) - 0.5,
}

LARGE_MATRIX_MEANS = {0: 0.38629, 1: 0.5307, 2: 0.5996, 4: 0.6744}
"""Mean ratio in large matrices, where the surmise for three levels errs by up to one per cent."""


@dataclass(frozen=True, slots=True)
class SpacingRatio:
    """Law of r = min(S₁, S₂)/max(S₁, S₂) for consecutive spacings S₁, S₂.

    p(r) = (2/Z_β) (r + r²)^β/(1 + r + r²)^{1 + 3β/2} on [0, 1]: exact for three levels of a
    Gaussian matrix. β = 0 stands for independent (Poisson) levels, p(r) = 2/(1 + r)².

    Attributes:
        beta: 0, 1, 2 or 4.

    Raises:
        InputError: another beta.

    Source: Atas, Bogomolny, Giraud & Roux, Distribution of the ratio of consecutive level spacings
    in random matrix ensembles (2013), Eq. (7) and Table I.

    Example:
        >>> [round(SpacingRatio(beta).moment(1), 4) for beta in (0, 1, 2, 4)]
        [0.3863, 0.5359, 0.6027, 0.6762]
    """

    beta: Literal[0, 1, 2, 4] = 1

    def __post_init__(self) -> None:
        if self.beta not in NORMS:
            raise InputError(f"beta is {self.beta}", remedy="pass 0, 1, 2 or 4")

    @property
    def edges(self) -> tuple[float, float]:
        """[0, 1]."""
        return 0.0, 1.0

    def density(self, r: Numbers) -> Float[Array, "*shape"]:
        """p(r)."""
        r = as_float(r)
        inside = (r >= 0) & (r <= 1)
        product = np.where(inside, r + r**2, 0.0)
        power = 2.0 if self.beta == 0 else 1 + 1.5 * self.beta
        base = 1 + r if self.beta == 0 else 1 + product
        return np.where(inside, 2 / NORMS[self.beta] * product**self.beta / base**power, 0.0)

    def distribution(self, r: Numbers) -> Float[Array, "*shape"]:
        """∫ p up to r, by Gauss-Legendre quadrature (right to 1e-14)."""
        upper = np.clip(as_float(r), 0.0, 1.0)
        nodes, weights = legendre(40)
        return np.asarray((self.density(upper[..., None] * nodes) * weights).sum(-1) * upper)

    def quantile(self, probability: Numbers) -> Float[Array, "*shape"]:
        """The r below which the given fraction of the ratios lies."""
        p = as_float(probability)
        return bisect(lambda r: self.distribution(r) - p, 0.0, 1.0, p.shape)

    def moment(self, order: int) -> float:
        """E rᵏ; the mean in closed form."""
        require_order(order)
        if order == 1:
            return float(MEANS[self.beta])
        r, weights = legendre(40)
        return float(weights @ (r**order * self.density(r)))

    def sample(self, count: int, *, generator: torch.Generator) -> Float[Array, " count"]:
        """Ratios of sampled 3 × 3 Gaussian matrices, or of independent levels."""
        if self.beta == 0:
            spacings = numpy_generator(generator).exponential(size=(count, 2))
        else:
            levels = hermite_eigenvalues(3, count=count, generator=generator, beta=self.beta)
            spacings = np.diff(levels, axis=-1)
        return spacings.min(-1) / spacings.max(-1)


def spacing_ratios(levels: Float[Array, "*matrices n"]) -> Float[Array, "*matrices n-2"]:
    """R of every three consecutive levels of each spectrum.

    Args:
        levels: spectra, in any order.

    Raises:
        InputError: fewer than three levels, not all finite, or three of them equal.

    Source: Oganesyan & Huse (2007).

    Example:
        >>> spacing_ratios(np.array([0.0, 1.0, 3.0, 4.0]))
        array([0.5, 0.5])
    """
    values = np.sort(finite_sample("levels", levels), axis=-1)
    if values.shape[-1] < 3:
        raise InputError("a spectrum has fewer than three levels", remedy="pass larger matrices")
    spacings = np.diff(values, axis=-1)
    larger = np.maximum(spacings[..., 1:], spacings[..., :-1])
    if not (larger > 0).all():
        raise InputError(
            "three levels are equal", remedy="drop degenerate levels, such as the zeros of a rank"
        )
    return np.minimum(spacings[..., 1:], spacings[..., :-1]) / larger


def mean_spacing_ratio(levels: Float[Array, "matrices n"]) -> tuple[float, float]:
    """⟨r⟩ over all spectra and its jackknife error over matrices.

    Compare with :data:`LARGE_MATRIX_MEANS`: 0.5307 for real symmetric random matrices, 0.3863 for
    levels that do not know of each other.

    Args:
        levels: one spectrum a row.

    Raises:
        InputError: fewer than two matrices, or as :func:`spacing_ratios`.

    Source: Atas et al. (2013).

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> spectra = hermite_eigenvalues(100, count=50, generator=generator)
        >>> value, error = mean_spacing_ratio(spectra)
        >>> bool(abs(value - 0.5307) < 3 * error), error < 0.01
        (True, True)
    """
    return jackknife(lambda part: float(part.mean()), spacing_ratios(levels))
