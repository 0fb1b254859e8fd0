"""Muon's equilibrium: the size and the memory of orthogonalized noise.

Muon steps along κO with O = NS(x), x = (1−μ)g + μb the Nesterov average of the gradients (x = b
without Nesterov) and b ← μb + (1−μ)g. On independent Gaussian gradients x is a stationary Gaussian
process whose entries have autocorrelation ρ_k = Cμᵏ. O is an odd function of x that commutes with
rotations from both sides; so its best linear approximation is αx, and in its Hermite expansion the
overlap of two updates is

    c(ρ) = Σ_{j odd} w_j ρʲ,   Σ w_j = 1,   w₁ = (E⟨O, x⟩)²/(E‖O‖²·E‖x‖²).

All w_j ≥ 0, hence w₁ρ ≤ c(ρ) ≤ w₁ρ + (1−w₁)ρ³ for ρ ≥ 0: with w₁ near 0.7 for square matrices and
near 0.9 for 4 : 1 this leaves S, which sums ρ = Cμᵏ over many lags, uncertain by a few per cent.
What the bounds leave is taken as (1−w₁)ρᵖ, with the p ≥ 3 that gives the overlap of successive
updates as drawn matrices of the same proportions have it.
The exact polar factor of a large square matrix has w₁ = (8/3π)² = 0.72. Then

    ‖W‖² → ηκ² E‖O‖² S/(2λ),

and E‖O‖² is r for an exact polar factor, 0.7–0.8 r for five quintic steps.
"""

from __future__ import annotations

from math import inf, log, prod, sqrt

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core.errors import InputError
from spectrain.matrix.polar import QUINTIC, newton_schulz
from spectrain.regime.equilibrium import NoiseUpdate
from spectrain.rmt.ensembles import laguerre_eigenvalues

SIDE = 48
"""Longer side of the matrices that are drawn for the overlap of successive updates."""

DRAWS = 64
"""Random spectra over which size and linear share of an update are averaged."""


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

    The overlap is a sum of two powers of ρ (see the module's text); how far S lies above its lower
    bound is the ``spread``.

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
        Jordan et al. 2024 (Muon); derivation above.

    Example:
        >>> update = muon_noise((64, 64), generator=torch.Generator().manual_seed(0))
        >>> round(update.energy / 64, 2), round(update.spread, 2)
        (0.76, 0.03)
    """
    if not 0 <= momentum < 1:
        raise InputError(f"momentum is {momentum}", remedy="pass a number in [0, 1)")
    kappa = sqrt(max(1.0, shape[0] / shape[1])) if scale is None else scale
    energy, linear = _size_and_share(shape, steps, coefficients, generator)
    first, rate = averaged_autocorrelation(momentum, nesterov=nesterov), momentum
    size = kappa**2 * energy
    if not momentum:
        return NoiseUpdate(size)
    low = ((linear * first, rate),)
    power = _power(shape, first * rate, linear, steps, generator)
    whole = (*low, ((1 - linear) * first**power, rate**power))
    spread = 1 - NoiseUpdate(size, low).persistence() / NoiseUpdate(size, whole).persistence()
    return NoiseUpdate(size, whole, spread)


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


def _power(
    shape: tuple[int, int],
    correlation: float,
    linear: float,
    steps: int,
    generator: torch.Generator,
) -> float:
    """P of c(ρ) = w₁ρ + (1−w₁)ρᵖ, from drawn matrices of these proportions."""
    larger = max(*shape, SIDE)
    drawn = max(round(shape[0] * SIDE / larger), 1), max(round(shape[1] * SIDE / larger), 1)
    overlap, _ = overlap_of_polars(drawn, correlation, generator=generator, draws=16, steps=steps)
    share = (overlap - linear * correlation) / (1 - linear)
    return max(log(share) / log(correlation), 3.0) if share > 0 else inf


def _size_and_share(
    shape: tuple[int, int],
    steps: int,
    coefficients: tuple[float, float, float],
    generator: torch.Generator,
) -> tuple[float, float]:
    """E‖O‖² and w₁, from singular values of Gaussian matrices of unit entries."""
    tall = max(shape), min(shape)
    squares = laguerre_eigenvalues(tall, count=DRAWS, generator=generator, variance=tall[0])
    sigma = torch.from_numpy(squares).clamp_min(0).sqrt()
    mapped = _newton_schulz_values(
        sigma / sigma.square().sum(-1, keepdim=True).sqrt(), steps, coefficients
    )
    energy = mapped.square().sum(-1).mean().item()
    linear = (mapped * sigma).sum(-1).mean().item() ** 2 / (energy * prod(shape))
    return energy, linear


def _newton_schulz_values(
    sigma: Float[Tensor, "draws r"], steps: int, coefficients: tuple[float, float, float]
) -> Float[Tensor, "draws r"]:
    a, b, c = coefficients
    for _ in range(steps):
        sigma = sigma * (a + b * sigma.square() + c * sigma**4)
    return sigma
