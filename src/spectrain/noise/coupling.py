"""Multiplicative or additive: does the noise where the signal is 0 follow from its borders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.noise.estimate import LEVEL, Estimate, fieller
from spectrain.noise.triples import Triples


@dataclass(frozen=True, slots=True)
class Coupling:
    """Inner products of one replica's remainder with what left-right noise makes of its borders.

    In the basis of the leading directions a replica is [[M, N], [P, Q]]. Under (I + A)G(I + B)
    with G of rank k, Q is the product P M⁻¹ N exactly; additive noise, even in proportion to the
    signal, leaves Q without correlation to it.

    Attributes:
        product: ⟨Q − Q̄, P M⁻¹ N⟩.
        square: ‖P M⁻¹ N‖_F².
    """

    product: Float[Tensor, ""]
    square: Float[Tensor, ""]


def coupling(replica: Float[Tensor, "m n"], mean: Float[Tensor, "m n"], basis: Triples) -> Coupling:
    """The inner products of one replica; nothing of size m × n is kept.

    Args:
        replica: G_r.
        mean: of the other replicas.
        basis: leading triples of that mean, orthonormal.

    Example:
        >>> import torch
        >>> g = torch.tensor([[2.0, 1.0], [1.0, 0.5]])                 # rank one: Q = P M⁻¹ N
        >>> e = torch.eye(2)[:, :1]
        >>> basis = Triples(e, torch.tensor([2.0]), e, torch.zeros(1))
        >>> c = coupling(g, torch.diag(torch.tensor([2.0, 0.0])), basis)
        >>> c.product.item(), c.square.item()
        (0.25, 0.25)
    """
    g = replica.detach().to(mean.dtype)
    u, v = basis.left.to(g), basis.right.to(g)
    core = u.mT @ g @ v
    across, down = _off_rows(u.mT @ g, v), _off_rows((g @ v).mT, u).mT
    solved = torch.linalg.pinv(core) @ across
    difference = g - mean
    product = (down * (difference @ solved.mT)).sum()  # ⟨D, down·solved⟩; both are off the basis
    square = ((down.mT @ down) * (solved @ solved.mT)).sum()
    return Coupling(product, square)


def product_coupling(parts: Sequence[Coupling], *, level: float = LEVEL) -> Estimate:
    """κ = Σ⟨Q_r − Q̄, P M⁻¹ N⟩/Σ‖P M⁻¹ N‖²: 1 for left-right multiplicative noise, 0 for additive.

    A ratio of averages over replicas with Fieller's interval. It tells multiplicative noise from
    additive noise in proportion to the signal, which overlaps cannot. The basis is noisy itself:
    of additive proportional noise about 2/R remains, which the interval does not include.

    Args:
        parts: of each replica, by :func:`coupling`.
        level: nominal coverage.

    Source:
        First order in the residual of G beyond its leading directions.

    Example:
        >>> import torch
        >>> product_coupling([]).reason
        'fewer than 3 replicas'
    """
    count = len(parts)
    if count < 3:
        return Estimate.missing("fewer than 3 replicas", replicas=count, level=level)
    pairs = torch.stack(
        [torch.stack([p.product for p in parts]), torch.stack([p.square for p in parts])]
    ).double()
    product, square = pairs.mean(1).tolist()
    if square == 0:
        return Estimate.missing("no noise across the basis", replicas=count, level=level)
    return fieller(product, square, (pairs.cov() / count).cpu(), replicas=count, level=level)


def _off_rows(rows: Float[Tensor, "k n"], basis: Float[Tensor, "n k"]) -> Float[Tensor, "k n"]:
    """Rows without their part in the basis."""
    return rows - (rows @ basis) @ basis.mT
