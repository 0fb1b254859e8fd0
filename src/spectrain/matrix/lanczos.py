"""Golub-Kahan bidiagonalisation of many starts at once, and what its matrices say of a spectrum.

A start u with q steps gives a lower bidiagonal L (q+1 × q). The singular values of its first q rows
are the nodes of the Gauss rule for uᵀf(AAᵀ)u, those of all its rows the nodes other than 0 of the
Gauss-Radau rule with one node at 0; the weights are the squared first components of the left
vectors (Golub & Meurant 2010, §6.2 and §7). For f = σ and f = −σ ln σ with σ ≤ 1 the sign of the
derivatives does not change, so the first rule is an upper and the second a lower bound.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

DEPENDENT = 1e-4
"""Directions of a Krylov basis below this share of its largest squared length are copies."""


@dataclass(frozen=True, slots=True)
class Krylov:
    """Bidiagonalisations of k starts: Aᵀuⱼ = αⱼvⱼ + βⱼ₋₁vⱼ₋₁ and A vⱼ = αⱼuⱼ + βⱼuⱼ₊₁.

    Attributes:
        left: the uⱼ of each start; zero beyond an invariant subspace.
        right: the vⱼ.
        diagonal: the αⱼ.
        below: the βⱼ.
    """

    left: Float[Tensor, "k next d"]
    right: Float[Tensor, "k q n"]
    diagonal: Float[Tensor, "k q"]
    below: Float[Tensor, "k q"]

    @property
    def steps(self) -> int:
        """Steps taken; each multiplies by A and by Aᵀ."""
        return self.diagonal.shape[1]


@dataclass(frozen=True, slots=True)
class Ritz:
    """Approximate singular triples, vectors as rows: Aᵀu = σv, while A v = σu up to a residual.

    Attributes:
        left: the u.
        right: the v.
        values: the σ.
        residual: ‖A v − σu‖.
    """

    left: Float[Tensor, "p d"]
    right: Float[Tensor, "p n"]
    values: Float[Tensor, " p"]
    residual: Float[Tensor, " p"]

    def __getitem__(self, index: Tensor) -> Ritz:
        """Those of an index or mask."""
        return Ritz(self.left[index], self.right[index], self.values[index], self.residual[index])

    def __len__(self) -> int:
        return len(self.values)


def no_triples(matrix: Float[Tensor, "d n"]) -> Ritz:
    """The empty set of triples of a matrix."""
    empty = torch.zeros(0, dtype=torch.float64, device=matrix.device)
    return Ritz(matrix.new_zeros(0, len(matrix)), matrix[:0], empty, empty)


def begin(starts: Float[Tensor, "k d"], columns: int) -> Krylov:
    """No step taken yet from starts of unit length, for a matrix of ``columns`` columns."""
    k = len(starts)
    empty = starts.new_zeros(k, 0)
    return Krylov(starts.unsqueeze(1), starts.new_zeros(k, 0, columns), empty, empty)


def extend(
    matrix: Float[Tensor, "d n"], krylov: Krylov, steps: int, *, removed: Ritz, floor: float
) -> Krylov:
    """More steps, each new vector orthogonalised against all of its own start.

    Args:
        matrix: float32 or float64.
        krylov: the steps so far.
        steps: how many to add.
        removed: triples taken out of A on both sides; the starts are orthogonal to them.
        floor: lengths below this are rounding, and end the start they occur in.

    Example:
        >>> start = begin(torch.tensor([[0.6, 0.8]]), 2)
        >>> matrix = torch.diag(torch.tensor([2.0, 1.0]))
        >>> krylov = extend(matrix, start, 2, removed=no_triples(matrix), floor=1e-6)
        >>> nodes, weights = rules(krylov)
        >>> round((nodes * weights)[0, 0].sum().item(), 5)  # 0.36·2 + 0.64·1
        1.36
    """
    done = krylov.steps
    left = pad(krylov.left, (0, 0, 0, steps))
    right = pad(krylov.right, (0, 0, 0, steps))
    diagonal, below = pad(krylov.diagonal, (0, steps)), pad(krylov.below, (0, steps))
    for j in range(done, done + steps):
        right[:, j], diagonal[:, j] = _next(left[:, j] @ matrix, right[:, :j], removed.right, floor)
        left[:, j + 1], below[:, j] = _next(
            right[:, j] @ matrix.mT, left[:, : j + 1], removed.left, floor
        )
    return Krylov(left, right, diagonal, below)


def rules(krylov: Krylov) -> tuple[Float[Tensor, "k 2 q"], Float[Tensor, "k 2 q"]]:
    """Nodes (singular values) and weights in float64: the Gauss rule, then Gauss-Radau.

    The node 0 of the latter is left out: what its weights lack to 1 sits there.
    """
    q = krylov.steps
    lower = krylov.diagonal.new_zeros(len(krylov.diagonal), q + 1, q, dtype=torch.float64)
    lower.diagonal(0, 1, 2).copy_(krylov.diagonal)
    lower.diagonal(-1, 1, 2).copy_(krylov.below)
    decomposed = [torch.linalg.svd(part, full_matrices=False) for part in (lower[:, :q], lower)]
    nodes = torch.stack([part.S for part in decomposed], 1)
    return nodes, torch.stack([part.U[:, 0].square() for part in decomposed], 1)


def ritz_mixing(krylov: Krylov) -> tuple[Float[Tensor, " s"], Float[Tensor, "kq s"]]:
    """Ritz values of A in the span of all starts, descending, and their vectors' coefficients.

    Needs no product with A: the images Aᵀuⱼ follow from the bidiagonalisation.
    """
    basis = krylov.left[:, :-1].flatten(0, 1)
    image = _image(krylov).flatten(0, 1)
    lengths, vectors = torch.linalg.eigh((basis @ basis.mT).double())
    kept = lengths > DEPENDENT * lengths[-1]
    whiten = vectors[:, kept] / lengths[kept].sqrt()
    energies, mixing = torch.linalg.eigh(whiten.mT @ (image @ image.mT).double() @ whiten)
    return energies.clamp_min(0).sqrt().flip(-1), whiten @ mixing.flip(-1)


def krylov_triples(krylov: Krylov, mixing: Float[Tensor, "kq p"]) -> Ritz:
    """The Ritz triples of :func:`ritz_mixing`, also without a product with A.

    The residual follows from A vⱼ = αⱼuⱼ + βⱼuⱼ₊₁ like the rest.
    """
    rotation = mixing.mT.to(krylov.left)
    image = rotation @ _image(krylov).flatten(0, 1)
    values = torch.linalg.vector_norm(image, dim=1)
    onto = rotation.reshape(-1, *krylov.diagonal.shape)
    on_right = onto * krylov.diagonal
    on_right[..., :-1] += onto[..., 1:] * krylov.below[:, :-1]
    on_left = pad(on_right * krylov.diagonal, (0, 1))
    on_left[..., 1:] += on_right * krylov.below
    left = rotation @ krylov.left[:, :-1].flatten(0, 1)
    back = on_left.flatten(1) @ krylov.left.flatten(0, 1) / _nonzero(values)
    residual = torch.linalg.vector_norm(back - values[:, None] * left, dim=1)
    return Ritz(left, image / _nonzero(values), values.double(), residual.double())


def ritz(matrix: Float[Tensor, "d n"], krylov: Krylov, mixing: Float[Tensor, "kq p"]) -> Ritz:
    """Rayleigh-Ritz on p vectors of a Krylov space after one more power of AAᵀ, by 4p products."""
    basis = krylov.left[:, :-1].flatten(0, 1)
    frame = torch.linalg.qr(basis.mT @ mixing.to(basis)).Q
    frame = torch.linalg.qr(matrix @ (frame.mT @ matrix).mT).Q.mT
    image = frame @ matrix
    rotation = torch.linalg.eigh((image @ image.mT).double()).eigenvectors.flip(-1).mT.to(image)
    left, image = rotation @ frame, rotation @ image
    values = torch.linalg.vector_norm(image, dim=1)
    right = image / _nonzero(values)
    residual = torch.linalg.vector_norm(right @ matrix.mT - values[:, None] * left, dim=1)
    return Ritz(left, right, values.double(), residual.double())


def _image(krylov: Krylov) -> Float[Tensor, "k q n"]:
    """Aᵀuⱼ, from the bidiagonalisation."""
    image = krylov.diagonal[..., None] * krylov.right
    image[:, 1:] += krylov.below[:, :-1, None] * krylov.right[:, :-1]
    return image


def _next(raw: Tensor, basis: Tensor, common: Tensor, floor: float) -> tuple[Tensor, Tensor]:
    """The part of each row orthogonal to its basis and the common one, normalised; its length."""
    rest = raw - (raw @ common.mT) @ common if len(common) else raw
    for part in (basis[:, -1:], basis):  # most of it lies along the last one: twice is enough
        rest = rest - ((part @ rest.unsqueeze(-1)).mT @ part).squeeze(1)
    length = torch.linalg.vector_norm(rest, dim=1)
    length = torch.where(length > floor, length, 0.0)
    return torch.where(length[:, None] > 0, rest / _nonzero(length), 0.0), length


def _nonzero(lengths: Tensor) -> Tensor:
    return torch.where(lengths > 0, lengths, 1.0)[:, None]
