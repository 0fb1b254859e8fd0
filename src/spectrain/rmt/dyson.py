"""Dyson Brownian motion: a symmetric matrix that drifts and diffuses, and its eigenvalues."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core import InputError

Drift = Callable[[Tensor], Tensor]


def evolve_matrices(
    matrices: Float[Tensor, "*batch n n"],
    *,
    drift: Drift,
    g: float,
    step: float,
    steps: int,
    generator: torch.Generator,
) -> Float[Tensor, "*batch n n"]:
    """Let symmetric matrices follow dX = K(X) dt + g (dB + dBᵀ)/√2, B of independent entries.

    The noise has variance g² dt off the diagonal and 2g² dt on it (√Aᵢᵢ = √2 g), so it is the same
    in every basis. Euler-Maruyama, all matrices at once.

    Args:
        matrices: X at the start.
        drift: K, from a batch of matrices to one of the same shape; symmetric for symmetric X.
        g: amplitude of the noise.
        step: dt.
        steps: number of steps.
        generator: source of the noise, on the device of the matrices.

    Returns:
        X after ``steps`` steps; call again from there for a trajectory.

    Raises:
        InputError: step is not positive, or g or steps negative.

    Source: Dyson, A Brownian-motion model for the eigenvalues of a random matrix (1962); in this
    form Aarts, Lucini & Park, arXiv:2407.16427.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> start = torch.zeros(500, 2, 2, dtype=torch.float64)
        >>> end = evolve_matrices(
        ...     start, drift=lambda x: -x, g=1.0, step=0.02, steps=200, generator=generator)
        >>> bool(abs(end[:, 0, 1].var() - 0.5) < 0.1)  # g²/2 for the drift −X
        True
    """
    _check(g, step, steps)
    current = matrices
    for _ in range(steps):
        kick = torch.empty_like(current).normal_(generator=generator)
        kick = (kick + kick.mT) * (g * (step / 2) ** 0.5)
        current = current + step * drift(current) + kick
    return current


def evolve_levels(
    levels: Float[Tensor, "*batch n"],
    *,
    drift: Drift,
    g: float | Float[Tensor, " n"],
    step: float,
    steps: int,
    generator: torch.Generator,
) -> Float[Tensor, "*batch n"]:
    """Let eigenvalues follow dxᵢ = Kᵢ(xᵢ) dt + Σ_{j≠i} gᵢ²/(xᵢ − xⱼ) dt + √2 gᵢ dBᵢ.

    Drift and noise are explicit, the repulsion implicit: each step ends at the unique ordered
    solution of xᵢ = yᵢ + dt Σ gᵢ²/(xᵢ − xⱼ), where y is the step without repulsion. So levels never
    cross, however large the step. The i-th level keeps the i-th drift and noise.

    Args:
        levels: x at the start, ascending and all different.
        drift: K, from a batch of levels to one of the same shape.
        g: amplitude of the noise, one number or one a level.
        step: dt.
        steps: number of steps.
        generator: source of the noise, on the device of the levels.

    Returns:
        x after ``steps`` steps; call again from there for a trajectory.

    Raises:
        InputError: levels are not ascending, or a setting is out of range.

    Source: Dyson (1962); implicit repulsion: Li & Menon (2013), §3. For β = 1, real matrices.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> start = torch.tensor([-1.0, 0.0, 1.0]).double().expand(500, 3)
        >>> end = evolve_levels(
        ...     start, drift=lambda x: -x, g=1.0, step=0.02, steps=200, generator=generator)
        >>> bool((end.diff() > 0).all()), bool(abs(end.square().sum(-1).mean() - 6) < 0.5)
        (True, True)
    """
    amplitude = torch.as_tensor(g, dtype=levels.dtype, device=levels.device)
    _check(float(amplitude.min()), step, steps)
    if not bool((levels.diff() > 0).all()):
        raise InputError(
            "the levels are not ascending and different",
            remedy="sort them; start degenerate levels from evolve_matrices",
        )
    current = levels
    for _ in range(steps):
        noise = torch.empty_like(current).normal_(generator=generator)
        free = current + step * drift(current) + amplitude * (2 * step) ** 0.5 * noise
        current = repel(free, current, step * amplitude**2)
    return current


def repel(
    free: Float[Tensor, "*batch n"],
    start: Float[Tensor, "*batch n"],
    strength: Float[Tensor, ""] | Float[Tensor, " n"],
) -> Float[Tensor, "*batch n"]:
    """The ordered solution x of xᵢ = yᵢ + tᵢ Σ_{j≠i} 1/(xᵢ − xⱼ).

    It minimises Σ(xᵢ − yᵢ)²/2tᵢ − Σ_{i<j} log(xⱼ − xᵢ), which is convex and self-concordant.
    Newton's method with steps 1/(1 + μ), μ the largest relative change of a gap, therefore goes
    down from any ordered start, keeps the order, and ends quadratically (Nesterov &
    Nemirovskii 1994, the argument of §2.2 applied to each logarithm).

    Args:
        free: y.
        start: any ascending levels.
        strength: t > 0; where it is zero y must be ordered and is returned.

    Example:
        >>> repel(torch.zeros(2), torch.tensor([-1.0, 1.0]), torch.tensor(2.0))  # x = t/2x
        tensor([-1.,  1.])
    """
    if free.shape[-1] == 1 or not bool((strength > 0).all()):
        return free
    identity = torch.eye(free.shape[-1], dtype=free.dtype, device=free.device)
    tolerance = torch.finfo(free.dtype).eps ** 0.5  # the error squares in the step that follows
    x = start
    for _ in range(100):
        inverse = 1 / (x[..., :, None] - x[..., None, :] + identity) - identity
        gradient = (x - free) / strength - inverse.sum(-1)
        square = inverse**2
        hessian = torch.diag_embed(1 / strength + square.sum(-1)) - square
        direction = torch.linalg.solve(hessian, gradient)
        change = (direction.diff() / x.diff()).abs().amax(-1, keepdim=True)
        x = x - direction / (1 + change)
        if bool((change < tolerance).all()):
            break
    return x


def _check(g: float, step: float, steps: int) -> None:
    if g < 0 or step <= 0 or steps < 0:
        raise InputError(
            f"g is {g}, step {step}, steps {steps}",
            remedy="pass g ≥ 0, a positive step and steps ≥ 0",
        )
