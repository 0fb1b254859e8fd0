"""The Wigner surmise: spacings of neighbouring eigenvalues."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from scipy.special import gamma, gammainc

from spectrain.core import InputError
from spectrain.rmt.law import (
    Array,
    Fit,
    Numbers,
    as_float,
    finite_sample,
    numpy_generator,
    require_order,
    require_positive,
)


@dataclass(frozen=True, slots=True)
class WignerSurmise:
    """p(S) ∝ S^β exp(−bS²), with b such that the mean is ⟨S⟩.

    The spacing of the two eigenvalues of a 2 × 2 Gaussian matrix, exactly, and to about a per cent
    that of neighbours in any large one after unfolding. β = 1 for real symmetric matrices, where
    p(s) = (π/2) s exp(−πs²/4) at mean 1, and p(S) = S/2σ² exp(−S²/4σ²) with ⟨S⟩ = √π σ for two
    levels of width σ. In general √b = Γ(β/2 + 1)/(Γ((β + 1)/2)⟨S⟩).

    Attributes:
        beta: Dyson index 1, 2 or 4.
        mean: ⟨S⟩.

    Raises:
        InputError: another beta, or a mean that is not positive.

    Source: Wigner (1957); Mehta, Random Matrices, §1.5.

    Example:
        >>> law = WignerSurmise()
        >>> round(float(law.density(1.0)), 4), law.moment(1), round(law.moment(2), 4)  # 4/π
        (0.7162, 1.0, 1.2732)
    """

    beta: Literal[1, 2, 4] = 1
    mean: float = 1.0

    def __post_init__(self) -> None:
        require_positive(mean=self.mean)
        if self.beta not in (1, 2, 4):
            raise InputError(f"beta is {self.beta}", remedy="pass 1, 2 or 4")

    @property
    def edges(self) -> tuple[float, float]:
        """(0, ∞)."""
        return 0.0, np.inf

    @property
    def sigma(self) -> float:
        """σ of the joint density |x₁ − x₂|^β exp(−(x₁² + x₂²)/2σ²) behind it: b = 1/4σ²."""
        return 0.5 / self._rate

    def density(self, spacing: Numbers) -> Float[Array, "*shape"]:
        """p(S)."""
        scaled = self._rate * np.maximum(as_float(spacing), 0.0)
        peak = 2 * self._rate / gamma((self.beta + 1) / 2)
        return np.asarray(peak * scaled**self.beta * np.exp(-(scaled**2)))

    def distribution(self, spacing: Numbers) -> Float[Array, "*shape"]:
        """The regularised incomplete gamma function of (β + 1)/2 and bS²."""
        scaled = self._rate * np.maximum(as_float(spacing), 0.0)
        return np.asarray(gammainc((self.beta + 1) / 2, scaled**2))

    def moment(self, order: int) -> float:
        """E Sᵏ = Γ((β + 1 + k)/2)/Γ((β + 1)/2) b^(−k/2)."""
        require_order(order)
        shape = (self.beta + 1) / 2
        return float(gamma(shape + order / 2) / gamma(shape) / self._rate**order)

    def sample(self, count: int, *, generator: torch.Generator) -> Float[Array, " count"]:
        """Independent spacings: bS² is a gamma variate."""
        rng = numpy_generator(generator)
        return np.sqrt(rng.gamma((self.beta + 1) / 2, size=count)) / self._rate

    @property
    def _rate(self) -> float:
        """√b."""
        return float(gamma(self.beta / 2 + 1) / gamma((self.beta + 1) / 2) / self.mean)


def fit_wigner_surmise(
    spacings: Float[Array, " n"], beta: Literal[1, 2, 4] = 1
) -> Fit[WignerSurmise]:
    """Maximum likelihood fit of the mean spacing, from independent spacings.

    bS² is a gamma variate of known shape, so b̂ = (β + 1)/(2 mean(S²)); the relative error of
    ⟨S⟩ ∝ b^(−1/2) is 1/√(2n(β + 1)), at β = 1 lower than that of the plain mean by 4 %.

    Args:
        spacings: S > 0, one a run (spacings of one matrix are not independent).
        beta: Dyson index.

    Raises:
        InputError: no spacing, a negative or infinite one, or another beta.

    Source: maximum likelihood for :class:`WignerSurmise`.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> fit = fit_wigner_surmise(WignerSurmise(mean=3.0).sample(1000, generator=generator))
        >>> round(fit.law.mean, 2), round(fit.errors["mean"], 3)
        (2.97, 0.047)
    """
    values = finite_sample("spacings", spacings)
    if values.min() < 0:
        raise InputError(
            "a spacing is negative", remedy="sort the levels before taking differences"
        )
    rate = np.sqrt((beta + 1) / (2 * np.mean(values**2)))
    mean = WignerSurmise(beta).moment(1) * gamma(beta / 2 + 1) / gamma((beta + 1) / 2) / rate
    return Fit(
        WignerSurmise(beta, float(mean)),
        {"mean": float(mean / np.sqrt(2 * values.size * (beta + 1)))},
    )
