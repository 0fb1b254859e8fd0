"""Directions that hold nearly all of a matrix, split off in float64 before all else is measured.

Where σ₁ is many times what lies below, float32 products with the whole matrix round away the rest:
their error is ε·σ₁ a direction. The leading left singular vectors U are therefore found first and
the rest A − U UᵀA is formed in float64, where its own scale, and no longer σ₁, sets the rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.matrix.scale import largest_entry, power_of_two

DIRECTIONS = 8
"""Vectors iterated together: this many directions are split off at a time."""

DOMINATED = 0.02
"""A matrix is split where its leading directions leave less than this share of ‖A‖_F²."""

ROUNDS = 6
"""Most power steps; each multiplies the error by less than DOMINATED."""

CONVERGED = 1e-8
"""Residuals, in terms of the norm of the rest, at which no more steps are taken."""

PANEL = 1 << 20
"""Entries that are converted to float64 at a time."""


@dataclass(frozen=True, slots=True)
class Dominant:
    """Leading singular values and the matrix without their directions.

    Attributes:
        values: σ of what was split off, descending, float64.
        rest: (1 − U Uᵀ)A over ``scale``, float32.
        scale: power of two.
        moved: bound on what the split moves the singular values by, in all.
        products: products with a vector that were spent.
    """

    values: Float[Tensor, " p"]
    rest: Float[Tensor, "d n"]
    scale: float
    moved: float
    products: int


def split_dominant(
    matrix: Float[Tensor, "d n"], generator: torch.Generator
) -> tuple[Dominant | None, int]:
    """Split off the directions that dominate a finite matrix, and the products that looking took.

    A left vector u with Aᵀu = σv and residual r = ‖Av − σu‖ decouples from the rest except for r,
    so that the singular values of A are those split off and those of the rest within Σr (Weyl).

    Args:
        matrix: float32 or float64, its entries of the order of 1.
        generator: draws the starts.

    Returns:
        ``None`` where no few directions hold 98 % of the matrix.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> split, _ = split_dominant(torch.full((300, 400), 0.5), generator)
        >>> round(split.values.item(), 9), split.rest.abs().max().item() * split.scale < 1e-12
        (173.205080757, True)
    """
    count = min(DIRECTIONS, *matrix.shape)
    energy = torch.linalg.vector_norm(matrix, dtype=torch.float64).item() ** 2
    start = torch.randn(matrix.shape[1], count, device=matrix.device, generator=generator)
    frame = torch.linalg.qr(matrix @ start.to(matrix.dtype)).Q
    seen = (frame.mT @ matrix).double().square().sum().item()
    products = 2 * count
    if energy == 0 or seen < (1 - DOMINATED) * energy:
        return None, products
    back = frame.double()
    for _ in range(ROUNDS):
        frame = torch.linalg.qr(back).Q
        image = _left_product(matrix, frame)
        rotation, values, right = torch.linalg.svd(image, full_matrices=False)
        frame = frame @ rotation
        back = _right_product(matrix, right)
        residual = torch.linalg.vector_norm(back - frame * values, dim=0)
        products += 2 * count
        kept = _standing_out(values, energy)
        rest = max(energy - values[:kept].square().sum().item(), 0.0) ** 0.5
        rounding = torch.finfo(torch.float64).eps * values[0].item()
        if residual[:kept].max().item() <= max(CONVERGED * rest, 8 * rounding):
            break
    image = values[:kept, None] * right[:kept]
    left, scale = _without(matrix, frame[:, :kept], image)
    moved = residual[:kept].sum().item()
    return Dominant(values[:kept], left, scale, moved, products), products


def _standing_out(values: Tensor, energy: float) -> int:
    """How many leading values dominate: the last of them holds more than all that is below."""
    below = (energy - values.square().cumsum(0)).clamp_min(0)
    standing = (values.square() > below).nonzero().flatten()
    return int(standing[-1]) + 1 if len(standing) else 1


def _panels(matrix: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Groups of rows in float64."""
    height = max(PANEL // matrix.shape[1], 1)
    for start in range(0, len(matrix), height):
        rows = slice(start, start + height)
        yield rows, matrix[rows].double()


def _left_product(matrix: Tensor, frame: Tensor) -> Tensor:
    """Frameᵀ A in float64."""
    total = frame.new_zeros(frame.shape[1], matrix.shape[1])
    for rows, panel in _panels(matrix):
        total.addmm_(frame[rows].mT, panel)
    return total


def _right_product(matrix: Tensor, right: Tensor) -> Tensor:
    """A Vᵀ in float64."""
    return torch.cat([panel @ right.mT for _, panel in _panels(matrix)])


def _without(matrix: Tensor, frame: Tensor, image: Tensor) -> tuple[Tensor, float]:
    """A less frame·image in float32, over the power of two below its largest entry."""
    rest = torch.empty(matrix.shape, dtype=torch.float32, device=matrix.device)
    for rows, panel in _panels(matrix):
        rest[rows] = panel.addmm(frame[rows], image, alpha=-1.0)
    largest = largest_entry(rest)
    scale = power_of_two(torch.where(largest > 0, largest, 1.0)).item()
    return rest.div_(scale), scale
