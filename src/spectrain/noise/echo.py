"""Spectral echo: how much of each replica's singular direction the other replicas confirm.

With T_a = û_a v̂_aᵀ the rank-one direction of replica a, the reverb matrix is Z_ab = ⟨T_a, T_b⟩, and
the echo of replica p is the cosine between T_p and the direction that the replicas share. No
reference enters: three replicas are enough, and fewer hold no answer.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core.errors import InputError
from spectrain.noise.alignment import Groups
from spectrain.noise.estimate import LEVEL, Estimate, jackknife


def reverb(
    left: Float[Tensor, "replicas m k"],
    right: Float[Tensor, "replicas n k"],
    *,
    groups: Groups | None = None,
) -> Float[Tensor, "k replicas replicas"]:
    """Reverb matrices Z_ab = ⟨û_a, û_b⟩⟨v̂_a, v̂_b⟩ with zero diagonal, one for each direction.

    In a degenerate subspace of p directions T_a is ÛV̂ᵀ/√p, which a joint rotation of the pairs
    leaves alone; all its members get that subspace's Z. The signs of the pairs do not matter.

    Args:
        left: aligned left vectors of all replicas.
        right: aligned right vectors.
        groups: degenerate subspaces; every direction on its own if not given.

    Example:
        >>> import torch
        >>> u = torch.eye(3)[:, :1].expand(2, 3, 1)
        >>> reverb(u, u)
        tensor([[[0., 1.],
                 [1., 0.]]])
    """
    if groups is None or len(groups) == left.shape[-1]:
        z = torch.einsum("amk,bmk->kab", left, left) * torch.einsum("ank,bnk->kab", right, right)
        return z - torch.diag_embed(z.diagonal(dim1=-2, dim2=-1))
    parts = []
    for start, stop in groups:
        u, v = left[..., start:stop], right[..., start:stop]
        cosines = torch.einsum("ami,bmj->abij", u, u) * torch.einsum("ani,bnj->abij", v, v)
        z = cosines.sum((-2, -1)) / (stop - start)
        parts.append((z - torch.diag(z.diagonal())).expand(stop - start, -1, -1))
    return torch.cat(parts)


def echo(z: Float[Tensor, "*k replicas replicas"]) -> Float[Tensor, "*k replicas"]:
    """Echo ζ_p of each replica by triples: ζ_p² = Σ_ab Z_pa Z_ab Z_bp / Σ_{a,b≠p} Z_ab².

    Exact for Z = ζζᵀ off the diagonal, whatever the number of replicas. Negative estimates of ζ²
    are set to 0.

    Raises:
        InputError: there are fewer than 3 replicas.

    Example:
        >>> import torch
        >>> zeta = torch.tensor([0.9, 0.8, 0.7])
        >>> z = zeta.outer(zeta)
        >>> echo(z - z.diag().diag())
        tensor([0.9000, 0.8000, 0.7000])
    """
    squares = z.square().sum(-1)
    others = squares.sum(-1, keepdim=True) - 2 * squares
    return _root(_triples(z), others)


def echo_uncorrected(z: Float[Tensor, "*k replicas replicas"]) -> Float[Tensor, "*k replicas"]:
    """The published triple estimator: its denominator ‖Z‖_F² counts the pairs of p itself.

    Too low by √((R−2)/R): 0.866 at R = 8 where nothing is noise. Kept for comparison.

    Source:
        Spectral-echo reference implementation (triple OLS).

    Example:
        >>> import torch
        >>> echo_uncorrected(1 - torch.eye(8))[0].item()
        0.8660253882408142
    """
    return _root(_triples(z), z.square().sum((-2, -1)).unsqueeze(-1))


def pooled_echo(z: Float[Tensor, "*k replicas replicas"]) -> Float[Tensor, "*k"]:
    """One echo for each direction: ζ² = tr Z³ / ((R−2)‖Z‖_F²).

    Numerators and denominators of :func:`echo` summed over replicas. With K = E[T ⊗ T] it estimates
    tr K³/tr K², which is E⟨T, T̄⟩² where the replicas share one direction T̄.

    Raises:
        InputError: there are fewer than 3 replicas.

    Example:
        >>> import torch
        >>> pooled_echo(0.25 * (1 - torch.eye(5))).item()
        0.5
    """
    squares = z.square().sum((-2, -1))
    return _root(_triples(z).sum(-1), (z.shape[-1] - 2) * squares)


def echo_estimate(z: Float[Tensor, "replicas replicas"], *, level: float = LEVEL) -> Estimate:
    """Pooled echo of one direction with its jackknife interval; needs three replicas, error four.

    Example:
        >>> import torch
        >>> echo_estimate(1 - torch.eye(2)).reason
        'fewer than 3 replicas'
    """
    count = z.shape[-1]
    if count < 3:
        return Estimate.missing("fewer than 3 replicas", replicas=count, level=level)
    value = pooled_echo(z).item()
    if count == 3:
        reason = "no interval from 3 replicas"
        return Estimate(value, None, None, None, count, level, reason)
    return jackknife(value, pooled_echo(without_each(z)).cpu(), level=level)


def without_each(
    z: Float[Tensor, "*k replicas replicas"],
) -> Float[Tensor, "*k replicas fewer fewer"]:
    """The reverb matrices without each replica in turn."""
    count = z.shape[-1]
    kept = torch.arange(count, device=z.device).expand(count, count)
    kept = kept[~torch.eye(count, dtype=torch.bool, device=z.device)].reshape(count, count - 1)
    return z[..., kept.unsqueeze(-1), kept.unsqueeze(-2)]


def _triples(z: Tensor) -> Tensor:
    """Σ_ab Z_pa Z_ab Z_bp, the diagonal of Z³."""
    if z.shape[-1] < 3:
        raise InputError(f"{z.shape[-1]} replicas", remedy="echo needs at least 3")
    return ((z @ z) * z.mT).sum(-1)


def _root(over: Tensor, under: Tensor) -> Tensor:
    return (over / torch.where(under == 0, 1.0, under)).clamp(min=0).sqrt()
