"""Spectral echo: how much of each replica's singular direction the other replicas confirm.

With T_a = û_a v̂_aᵀ the rank-one direction of replica a, the reverb matrix is Z_ab = ⟨T_a, T_b⟩,
and the echo is the length ‖E T‖ of what the replicas have in common. Its square is the mean of Z_ab
over pairs, with its sign: noise that pushes now one way along u vᵀ and now the other has no echo.
No reference enters. The published estimators take triples of replicas, whose product has no sign:
they give zero-mean noise along one direction an echo near 1, and stand here for comparison.
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


def pair_energy(z: Float[Tensor, "*k replicas replicas"]) -> Float[Tensor, "*k"]:
    """ζ² = ‖E T‖_F², the mean of Z_ab over the pairs a ≠ b: unbiased, below 0 by chance.

    E Z_ab = ⟨E T_a, E T_b⟩ for independent replicas (Hoeffding 1948: a U-statistic of order two).

    Example:
        >>> import torch
        >>> signs = torch.tensor([1.0, -1.0, 1.0, -1.0])   # ± the same: nothing is shared
        >>> pair_energy(signs.outer(signs).fill_diagonal_(0)).item()
        -0.3333333432674408
    """
    count = z.shape[-1]
    off = z.sum((-2, -1)) - z.diagonal(dim1=-2, dim2=-1).sum(-1)
    return off / (count * (count - 1))


def signed_root(x: Tensor) -> Tensor:
    """sign(x)√|x|, which keeps the side on which an estimate of a square fell.

    Example:
        >>> import torch
        >>> signed_root(torch.tensor([4.0, -4.0]))
        tensor([ 2., -2.])
    """
    return x.sign() * x.abs().sqrt()


def root_estimate(square: Estimate) -> Estimate:
    """√θ of an estimated θ ≥ 0, its interval mapped end by end by the signed root.

    The value is 0 where the square is estimated below 0; the error is half the width of the mapped
    interval of one standard error, which stays finite at 0.

    Example:
        >>> root = root_estimate(Estimate(0.25, 0.11, -0.01, 0.49, replicas=8))
        >>> root.value, root.low, root.high
        (0.5, -0.1, 0.7)
    """
    if square.value is None or square.error is None or square.low is None or square.high is None:
        return square
    ends = torch.tensor(
        [square.low, square.high, square.value - square.error, square.value + square.error],
        dtype=torch.float64,
    )
    low, high, below, above = signed_root(ends).tolist()
    value = max(square.value, 0.0) ** 0.5
    return Estimate(
        value, (above - below) / 2, low, high, square.replicas, square.level, square.reason
    )


def echo(z: Float[Tensor, "*k replicas replicas"]) -> Float[Tensor, "*k replicas"]:
    """Echo ζ_p of each replica by triples: ζ_p² = Σ_ab Z_pa Z_ab Z_bp / Σ_{a,b≠p} Z_ab².

    Without regard to signs. Exact for Z = ζζᵀ off the diagonal, whatever the number of replicas.
    Negative estimates of ζ² are set to 0.

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
    """One echo for each direction by triples, without regard to signs: ζ² = tr Z³/((R−2)‖Z‖_F²).

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
    """Echo ζ = ‖E T‖_F of one direction; needs three replicas, error four.

    The jackknife interval is that of ζ² (:func:`pair_energy`), mapped by the root: its lower end is
    below 0 where chance alone could give the pairs what they have in common.

    Example:
        >>> import torch
        >>> echo_estimate(1 - torch.eye(2)).reason
        'fewer than 3 replicas'
    """
    count = z.shape[-1]
    if count < 3:
        return Estimate.missing("fewer than 3 replicas", replicas=count, level=level)
    value = pair_energy(z).item()
    if count == 3:
        reason = "no interval from 3 replicas"
        return Estimate(max(value, 0.0) ** 0.5, None, None, None, count, level, reason)
    return root_estimate(jackknife(value, pair_energy(without_each(z)).cpu(), level=level))


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
