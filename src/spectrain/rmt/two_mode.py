"""The density of two levels that repel each other: the "semicircle" of two modes."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb, factorial, prod

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import minimize
from scipy.special import erf

from spectrain.core import InputError
from spectrain.rmt.jackknife import jackknife
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

BINDER = -4 / 27
"""Binder cumulant of the two-mode density; zero for a normal law."""


@dataclass(frozen=True, slots=True)
class TwoMode:
    """Density of a level out of two with joint density |x₁ − x₂| exp(−Σ(xᵢ − κ)²/2σ²).

    With u = (x − κ)/σ:
    ρ(x) = e^{−u²/2}/(4√π σ) [2e^{−u²/2} + √(2π) u erf(u/√2)], a broadened and flattened normal law
    (for n levels instead of two it would tend to the semicircle). The mean of the two levels is
    normal of variance σ²/2 and independent of their spacing S, which follows the Wigner surmise
    S/2σ² exp(−S²/4σ²) of mean √π σ.

    Attributes:
        centre: κ.
        sigma: σ.

    Raises:
        InputError: sigma is not positive.

    Source: Aarts, Lucini & Park, PRE 111, 015303 (arXiv:2407.16427).

    Example:
        >>> law = TwoMode(centre=0.0, sigma=2.0)
        >>> law.moment(2) / 4, law.moment(4) / 16  # 1.5 σ², 5.75 σ⁴
        (1.5, 5.75)
        >>> round(law.mean_spacing / 2, 4)  # √π
        1.7725
    """

    centre: float
    sigma: float

    def __post_init__(self) -> None:
        require_positive(sigma=self.sigma)

    @property
    def edges(self) -> tuple[float, float]:
        """The whole line."""
        return -np.inf, np.inf

    @property
    def mean_spacing(self) -> float:
        """⟨S⟩ = √π σ."""
        return float(np.sqrt(np.pi) * self.sigma)

    def density(self, x: Numbers) -> Float[Array, "*shape"]:
        """ρ(x)."""
        u = (as_float(x) - self.centre) / self.sigma
        normal = np.exp(-(u**2) / 2)
        bracket = 2 * normal + np.sqrt(2 * np.pi) * u * erf(u / np.sqrt(2))
        return np.asarray(normal * bracket / (4 * np.sqrt(np.pi) * self.sigma))

    def distribution(self, x: Numbers) -> Float[Array, "*shape"]:
        """(1 + erf u)/2 − (√2/4) e^{−u²/2} erf(u/√2)."""
        u = (as_float(x) - self.centre) / self.sigma
        pull = np.sqrt(2) / 4 * np.exp(-(u**2) / 2) * erf(u / np.sqrt(2))
        return np.asarray((1 + erf(u)) / 2 - pull)

    def moment(self, order: int) -> float:
        """∫ xᵏ ρ, about zero."""
        require_order(order)
        central = [self._central(k) for k in range(order + 1)]
        return float(
            sum(comb(order, k) * self.centre ** (order - k) * central[k] for k in range(order + 1))
        )

    def sample(self, count: int, *, generator: torch.Generator) -> Float[Array, "count 2"]:
        """Pairs of levels, the larger first."""
        rng = numpy_generator(generator)
        middle = self.centre + rng.normal(0.0, self.sigma / np.sqrt(2), (count, 1))
        half = self.sigma * np.sqrt(rng.exponential(size=(count, 1)))
        return np.concatenate([middle + half, middle - half], axis=1)

    def _central(self, order: int) -> float:
        """E (g ± S/2)ᵏ with g normal of variance σ²/2 and S²/4 exponential of mean σ²."""
        if order % 2:
            return 0.0
        half = order // 2
        return self.sigma**order * sum(
            comb(order, 2 * j) * prod(range(1, 2 * (half - j), 2)) / 2 ** (half - j) * factorial(j)
            for j in range(half + 1)
        )


def fit_two_mode(levels: Float[Array, "runs modes"]) -> Fit[TwoMode]:
    """Fit (κ, σ) to the density of levels, by maximum likelihood.

    Every level is taken as a draw from ρ; since the two levels of a run depend on each other, the
    errors come from the scores summed by run (Godambe's sandwich).

    Args:
        levels: one row a run, the levels of one (nearly) degenerate pair in it.

    Raises:
        InputError: fewer than ten runs, or a level is not finite.

    Source: composite likelihood (Varin, Reid & Firth 2011).

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> fit = fit_two_mode(TwoMode(5.0, 0.3).sample(2000, generator=generator))
        >>> round(fit.law.centre, 2), round(fit.law.sigma, 2), round(fit.errors["sigma"], 4)
        (5.0, 0.3, 0.0028)
    """
    values = finite_sample("levels", levels)
    if len(values) < 10:
        raise InputError(f"levels holds {len(values)} runs", remedy="pass at least 10")
    middle, width = float(values.mean()), float(values.std() / np.sqrt(1.5))
    if width == 0:
        raise InputError("all levels are the same", remedy="pass levels that fluctuate")

    def negative_log_likelihood(standard: Float[Array, 2]) -> float:
        law = TwoMode(float(standard[0]), float(np.exp(standard[1])))
        return float(-np.log(law.density((values - middle) / width)).mean())

    result = minimize(negative_log_likelihood, np.zeros(2), method="BFGS", options={"gtol": 1e-7})
    law = TwoMode(middle + width * float(result.x[0]), width * float(np.exp(result.x[1])))
    scores = _scores(law, values)
    information = np.einsum("rmi,rmj->ij", scores, scores)
    by_run = scores.sum(1)
    inverse = np.linalg.inv(information)
    errors = np.sqrt(np.diag(inverse @ (by_run.T @ by_run) @ inverse))
    return Fit(law, {"centre": float(errors[0]), "sigma": float(errors[1])})


def _scores(law: TwoMode, x: Float[Array, "runs modes"]) -> Float[Array, "runs modes 2"]:
    """Derivatives of log ρ in κ and σ, from ρ′ by central differences."""
    step = 1e-4 * law.sigma
    logs = [np.log(law.density(x + shift)) for shift in (-step, step)]
    slope = (logs[1] - logs[0]) / (2 * step)
    stretch = -(1 + (x - law.centre) * slope) / law.sigma
    return np.stack([-slope, stretch], axis=-1)


def binder_cumulant(levels: Float[Array, " runs *modes"]) -> tuple[float, float]:
    """U₄ = ⟨x⁴⟩/(3⟨x²⟩²) − 1 about the mean of all levels, and its jackknife error over runs.

    Zero for a normal law, −4/27 for the two-mode density (:data:`BINDER`), −1/3 for a semicircle.
    Mind the sign: the usual Binder cumulant is 1 − ⟨x⁴⟩/(3⟨x²⟩²).

    Args:
        levels: one row a run.

    Raises:
        InputError: fewer than two runs, or a level is not finite.

    Source: Aarts, Lucini & Park, arXiv:2407.16427; Binder (1981).

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> value, error = binder_cumulant(TwoMode(5.0, 0.3).sample(20000, generator=generator))
        >>> bool(abs(value - BINDER) < 3 * error)
        True
    """

    def cumulant(sample: Float[Array, " runs *modes"]) -> float:
        centred = sample - sample.mean()
        return float((centred**4).mean() / (3 * (centred**2).mean() ** 2) - 1)

    return jackknife(cumulant, finite_sample("levels", levels, least=2))
