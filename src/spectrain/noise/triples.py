"""The leading singular triples of a matrix by block Krylov iteration with a warm start."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core.errors import InputError

OVERSAMPLING = 8
"""Columns of the block beyond k (Halko, Martinsson & Tropp 2011, §4.2: 5 to 10 suffice)."""

DENSE = 128
"""Smaller side up to which a full SVD is faster than building a Krylov basis."""

GAP_FLOOR = 1e-3
"""Relative gaps of σ² below this are not resolved: the vectors there are a basis, no more."""

LARGEST_BASIS = 0.25
"""Share of the smaller side beyond which the whole Gram matrix is cheaper than a longer basis."""


@dataclass(frozen=True, slots=True)
class Triples:
    """Leading singular triples, largest first: A v_i ≈ σ_i u_i and Aᵀu_i = σ_i v_i.

    Where σ_i is 0, or mere rounding, there is no direction: σ_i and a vector are 0.

    Attributes:
        left: u_i as columns.
        values: σ_i.
        right: v_i as columns.
        residual: ‖A v_i − σ_i u_i‖; the angle to the true direction is about residual over gap.
    """

    left: Float[Tensor, "m k"]
    values: Float[Tensor, " k"]
    right: Float[Tensor, "n k"]
    residual: Float[Tensor, " k"]

    @property
    def k(self) -> int:
        """Number of triples."""
        return self.values.numel()

    def head(self, k: int) -> Triples:
        """The first k triples."""
        return Triples(self.left[:, :k], self.values[:k], self.right[:, :k], self.residual[:k])

    def to(self, dtype: torch.dtype) -> Triples:
        """The same in another precision."""
        parts = (self.left, self.values, self.right, self.residual)
        return Triples(*(part.to(dtype) for part in parts))


def top_triples(
    matrix: Float[Tensor, "m n"],
    k: int,
    *,
    extra: int = 0,
    start: Triples | None = None,
    rtol: float = 3e-3,
    generator: torch.Generator | None = None,
) -> Triples:
    """The k leading singular triples of a matrix.

    A block Krylov basis [X, (AAᵀ)X, (AAᵀ)²X, …] of the smaller side grows, fully reorthogonalised,
    until every direction's residual is below ``rtol`` times its gap; the triples are the
    Rayleigh-Ritz ones. A basis that would grow too large, as on pure noise, gives way to the
    eigenvectors of the whole Gram matrix, and on a small matrix to its SVD.

    Args:
        matrix: float32 or float64; half precision is computed in float32.
        k: number of triples that are held to ``rtol``.
        extra: number of further ones that come as they are: candidates where the order may differ;
            k + extra is at most min(m, n).
        start: triples of a similar matrix, such as the mean over replicas; the rest of the first
            block is random.
        rtol: largest angle, in radians, to a direction whose relative gap in σ² exceeds
            :data:`GAP_FLOOR`.
        generator: draws the random part of the first block, on the matrix's device; a fresh one
            if none is given: the global random state is not touched.

    Raises:
        InputError: k is out of range or the matrix holds NaN or Inf.

    Source:
        Musco & Musco 2015, algorithm 2; Golub & Van Loan §10.3 for the residual.

    Example:
        >>> import torch
        >>> triples = top_triples(torch.diag(torch.tensor([1.0, 3.0, 2.0])), 2)
        >>> triples.values
        tensor([3., 2.])
    """
    count = k + extra
    if not 1 <= k <= count <= min(matrix.shape):
        raise InputError(
            f"{count} triples of a {tuple(matrix.shape)} matrix", remedy="take 1 ≤ k ≤ min(m, n)"
        )
    a = matrix.detach()
    a = a.float() if a.dtype.itemsize < 4 else a
    if not a.isfinite().all():
        raise InputError("the matrix holds NaN or Inf", remedy="skip this replica")
    if a.shape[0] > a.shape[1]:
        flipped = start and Triples(start.right, start.values, start.left, start.residual)
        turned = top_triples(a.mT, k, extra=extra, start=flipped, rtol=rtol, generator=generator)
        return Triples(turned.right, turned.values, turned.left, turned.residual)
    width = max(k + OVERSAMPLING, count, start.k if start else 0)
    if 3 * width > a.shape[0] or a.shape[0] <= DENSE:
        right, values, left = torch.linalg.svd(a.mT, full_matrices=False)
        u, s, v = left.mT[:, :count], values[:count], right[:, :count]
        residual = torch.linalg.vector_norm(a @ v - u * s, dim=0)
        return _resolved(Triples(u, s, v, residual), max(a.shape) * torch.finfo(a.dtype).eps)
    generator = generator or torch.Generator(a.device).manual_seed(0)
    block = torch.randn(a.shape[0], width, dtype=a.dtype, device=a.device, generator=generator)
    if start is not None:
        block[:, : start.k] = start.left.to(a)
    most = max(int(LARGEST_BASIS * a.shape[0]), 3 * width)
    return _krylov(a, k, extra, block, most, rtol) or _gram(a, count, width)


def _krylov(a: Tensor, k: int, extra: int, block: Tensor, most: int, rtol: float) -> Triples | None:
    """The triples, or nothing if a basis of ``most`` vectors does not hold them."""
    width = block.shape[1]
    basis = torch.linalg.qr(block).Q
    image = basis.mT @ a  # rows Aᵀq
    gram = (image @ image.mT).double()
    while True:
        block = a @ image[-width:].mT
        for _ in range(2):  # twice is enough (Parlett 1998, §6.9)
            block = block - basis @ (basis.mT @ block)
        block, coupling = torch.linalg.qr(block)
        energies, ritz = (x.flip(-1) for x in torch.linalg.eigh(gram))
        residual = torch.linalg.vector_norm(coupling.double() @ ritz[-width:], dim=0)
        if _converged(energies, residual, k, width, rtol):
            first = slice(k + extra)
            return _ritz(basis, image, energies[first], ritz[:, first], residual[first])
        if basis.shape[1] + width > most:
            return None
        new = block.mT @ a
        cross = (image @ new.mT).double()
        gram = torch.cat(
            [torch.cat([gram, cross], 1), torch.cat([cross.mT, (new @ new.mT).double()], 1)]
        )
        basis, image = torch.cat([basis, block], 1), torch.cat([image, new])


def _converged(energies: Tensor, residual: Tensor, k: int, width: int, rtol: float) -> bool:
    """Whether the first k Ritz vectors are within ``rtol`` of their directions.

    The angle out of the Krylov space is about ρ/Γ, with Γ the distance in σ² to what the block
    cannot hold; mixing with the neighbour at distance γ inside the space is about ρ²/(Γγ).
    """
    if energies.numel() <= width:
        return False
    outer = energies[:k] - energies[width]
    steps = -energies[: k + 1].diff()
    nearest = torch.minimum(steps, torch.cat([steps.new_full((1,), torch.inf), steps[:-1]]))
    inner = nearest.maximum(GAP_FLOOR * energies[:k])
    rho = residual[:k]
    return bool(((rho <= rtol * outer) & (rho.square() <= rtol * outer * inner)).all())


def _gram(a: Tensor, k: int, width: int) -> Triples:
    """Eigenvectors of AAᵀ, polished by one Rayleigh-Ritz step on the first ``width``."""
    basis = torch.linalg.eigh(a @ a.mT).eigenvectors[:, -width:]
    image = basis.mT @ a
    energies, ritz = (x.flip(-1)[..., :k] for x in torch.linalg.eigh((image @ image.mT).double()))
    ritz_triples = _ritz(basis, image, energies, ritz, torch.zeros_like(energies))
    residual = torch.linalg.vector_norm(
        a @ ritz_triples.right - ritz_triples.left * ritz_triples.values, dim=0
    )
    return Triples(ritz_triples.left, ritz_triples.values, ritz_triples.right, residual)


def _resolved(triples: Triples, rounding: float) -> Triples:
    """The triples, with σ = 0 and no vectors where σ is mere rounding: those would be arbitrary."""
    kept = (triples.values > rounding * triples.values[0]).to(triples.values)
    return Triples(
        triples.left * kept, triples.values * kept, triples.right * kept, triples.residual
    )


def _ritz(
    basis: Tensor, image: Tensor, energies: Tensor, ritz: Tensor, residual: Tensor
) -> Triples:
    """The triples in a basis whose rows Aᵀq are ``image``; ``residual`` is that of AAᵀ."""
    values = energies.clamp(min=0).sqrt()
    divisor = torch.where(values == 0, 1.0, values)
    left = basis @ ritz.to(basis)
    right = image.mT @ (ritz / divisor).to(image)
    triples = Triples(left, values.to(basis), right, (residual / divisor).to(basis))
    return _resolved(triples, torch.finfo(basis.dtype).eps ** 0.5)  # of a Gram matrix: squared
