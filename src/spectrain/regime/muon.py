"""Muon's equilibrium: the size and the memory of orthogonalized noise.

Muon steps along κO with O = NS(x), x = (1−μ)g + μb the Nesterov average of the gradients (x = b
without Nesterov) and b ← μb + (1−μ)g. On independent Gaussian gradients x is a stationary Gaussian
process whose entries have autocorrelation ρ_k = Cμᵏ, and the overlap of two updates depends on the
correlation of their averages alone:

    c(ρ) = Σ_{j odd} w_j ρʲ,   w_j ≥ 0,   Σ w_j = 1.

This is the expansion of O in Wick products of x, of which a correlation ρ leaves the share ρʲ of
degree j. O = U f(Σ) Vᵀ is an odd function of the matrix. For large matrices the Wick products of
such a function are U p_j(Σ) Vᵀ with the odd polynomials p_j that are orthogonal in the mean over
the singular values of x (Chebyshev's of the second kind for a square matrix), so that

    w_j = (E Σ_i f(σ_i)p_j(σ_i))² / (E Σ_i f(σ_i)² · E Σ_i p_j(σ_i)²).

w₁ is exact for every size. The exact polar factor of a large square matrix has w₁ = (8/3π)² = 0.72,
five quintic steps on 4 : 1 about 0.9. Then, with the summed autocorrelation S,

    ‖W‖² → ηκ² E‖O‖² S/(2λ),

and E‖O‖² is r for an exact polar factor, 0.7–0.8 r for five quintic steps.
"""

from __future__ import annotations

from math import sqrt

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core.errors import InputError
from spectrain.matrix.polar import QUINTIC, newton_schulz
from spectrain.regime.equilibrium import NoiseUpdate
from spectrain.rmt.ensembles import laguerre_eigenvalues

DRAWS = 64
"""Random spectra over which an update is averaged."""

DEGREE = 41
"""Highest degree of the expansion; S is the same to 0.1 % up to degree 121."""

FINITE_SIZE = 0.07
"""Relative error of S times √r, r the smaller side; simulated: 2.7 % at r = 2, 0.7 % at r = 64."""


def muon_noise(
    shape: tuple[int, int],
    *,
    generator: torch.Generator,
    momentum: float = 0.95,
    nesterov: bool = True,
    steps: int = 5,
    coefficients: tuple[float, float, float] = QUINTIC,
    scale: float | None = None,
) -> NoiseUpdate:
    """Muon's update on independent Gaussian gradients, as `torch.optim.Muon` takes it.

    The expansion is that of large matrices on the singular values of this size; what that leaves is
    the ``spread``.

    Args:
        shape: (rows, columns).
        generator: source of the random spectra.
        momentum: μ.
        nesterov: whether the current gradient counts once more.
        steps: Newton-Schulz steps.
        coefficients: of their polynomial.
        scale: κ; √max(1, rows/columns) if not given, torch's ``"original"``.

    Raises:
        InputError: ``momentum`` is outside [0, 1).

    Source:
        Jordan et al. 2024 (Muon); Biane 1997, Free hypercontractivity, §1 (Wick products of large
        matrices and what correlation leaves of them).

    Example:
        >>> update = muon_noise((64, 64), generator=torch.Generator().manual_seed(0))
        >>> round(update.energy / 64, 2), round(update.spread, 2)
        (0.76, 0.01)
    """
    if not 0 <= momentum < 1:
        raise InputError(f"momentum is {momentum}", remedy="pass a number in [0, 1)")
    kappa = sqrt(max(1.0, shape[0] / shape[1])) if scale is None else scale
    energy, weights = _expansion(shape, steps, coefficients, generator)
    first, rate = averaged_autocorrelation(momentum, nesterov=nesterov), momentum
    terms = tuple((weight * first**j, rate**j) for j, weight in weights.items()) if rate else ()
    return NoiseUpdate(kappa**2 * energy, terms, FINITE_SIZE / sqrt(min(shape)))


def averaged_autocorrelation(momentum: float, *, nesterov: bool) -> float:
    """C of ρ_k = Cμᵏ: 1 for a plain average of white noise, less where the newest counts more.

    Example:
        >>> round(averaged_autocorrelation(0.95, nesterov=True), 4)
        0.8396
    """
    mu = momentum
    if not nesterov:
        return 1.0
    variance = (1 + mu) ** 2 + mu**4 / (1 - mu**2)
    return (mu * (1 + mu) + mu**4 / (1 - mu**2)) / variance


def overlap_of_polars(
    shape: tuple[int, int],
    correlation: float,
    *,
    generator: torch.Generator,
    draws: int = 64,
    steps: int = 5,
) -> tuple[float, float]:
    """c(ρ) by simulation: ⟨NS(x), NS(y)⟩/E‖NS(x)‖² of Gaussian matrices with correlation ρ.

    Args:
        shape: of the matrices.
        correlation: ρ of their entries.
        generator: source of the matrices.
        draws: pairs.
        steps: Newton-Schulz steps.

    Returns:
        The overlap and its standard error.

    Example:
        >>> overlap, error = overlap_of_polars(
        ...     (16, 16), 0.5, generator=torch.Generator().manual_seed(0)
        ... )
        >>> 0.3 < overlap < 0.4
        True
    """
    first = torch.randn(draws, *shape, generator=generator, dtype=torch.float64)
    other = torch.randn(draws, *shape, generator=generator, dtype=torch.float64)
    second = correlation * first + sqrt(1 - correlation**2) * other
    a, b = (newton_schulz(x, steps=steps).factor for x in (first, second))
    size = 0.5 * (a.square() + b.square()).sum((-2, -1)).mean()
    overlaps = (a * b).sum((-2, -1)) / size
    return overlaps.mean().item(), overlaps.std().item() / sqrt(draws)


def _expansion(
    shape: tuple[int, int],
    steps: int,
    coefficients: tuple[float, float, float],
    generator: torch.Generator,
) -> tuple[float, dict[int, float]]:
    """E‖O‖² and w_j by degree j, from singular values of Gaussian matrices of unit entries.

    p_j is σ times a polynomial in σ², which Lanczos' recurrence finds; what is beyond the highest
    degree stands in one term above it.
    """
    tall = max(shape), min(shape)
    squares = laguerre_eigenvalues(tall, count=DRAWS, generator=generator, variance=tall[0])
    sigma = torch.from_numpy(squares).clamp_min(0).sqrt()
    unit = sigma / sigma.square().sum(-1, keepdim=True).sqrt()
    mapped = _newton_schulz_values(unit, steps, coefficients).flatten()
    total = mapped.square().sum()
    squared = sigma.flatten().square()
    basis = [sigma.flatten() / squared.sum().sqrt()]
    weights = {1: ((basis[0] @ mapped).square() / total).item()}
    for j in range(3, min(DEGREE, 2 * len(squared)) + 1, 2):
        following = squared * basis[-1]
        for _ in range(2):  # once more against round-off
            for known in basis:
                following = following - (known @ following) * known
        basis.append(following / following.norm())
        weights[j] = ((basis[-1] @ mapped).square() / total).item()
    weights[max(weights) + 2] = max(1 - sum(weights.values()), 0.0)
    return total.item() / DRAWS, weights


def _newton_schulz_values(
    sigma: Float[Tensor, "draws r"], steps: int, coefficients: tuple[float, float, float]
) -> Float[Tensor, "draws r"]:
    a, b, c = coefficients
    for _ in range(steps):
        sigma = sigma * (a + b * sigma.square() + c * sigma**4)
    return sigma
