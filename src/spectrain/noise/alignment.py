"""Which singular triple of a replica is which of the reference, and at what angle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from spectrain.core.errors import InputError
from spectrain.noise.triples import Triples

Groups = tuple[tuple[int, int], ...]
"""Runs [start, stop) of directions; a run longer than one is a degenerate subspace."""

Method = Literal["hungarian", "greedy"]


@dataclass(frozen=True, slots=True)
class Alignment:
    """A replica's triples in the order and with the signs of a reference.

    A direction on its own has signed cosines. In a degenerate subspace single vectors mean nothing:
    there the cosines are those of the principal angles between the two subspaces, largest first.

    Attributes:
        order: index of the replica's triple that belongs to each reference direction; within a
            degenerate subspace the order carries no information.
        left: ⟨û_i, u_i⟩, or principal cosines.
        right: ⟨v̂_i, v_i⟩, or principal cosines.
        triples: the replica's triples, reordered, each u and v turned together so that
            ⟨û, u⟩ + ⟨v̂, v⟩ ≥ 0.
        groups: the subspaces.
    """

    order: Int[Tensor, " k"]
    left: Float[Tensor, " k"]
    right: Float[Tensor, " k"]
    triples: Triples
    groups: Groups

    def overlaps(self) -> tuple[Float[Tensor, " k"], Float[Tensor, " k"]]:
        """Squared cosines (left, right), within a subspace their mean ‖UᵀÛ‖_F²/p for each member.

        A joint rotation of a degenerate subspace does not change them.
        """
        return _group_means(self.left.square(), self.groups), _group_means(
            self.right.square(), self.groups
        )


def degenerate_groups(values: Float[Tensor, " k"], perturbation: Float[Tensor, " gaps"]) -> Groups:
    """Runs of singular values that lie closer together than the noise moves them.

    Args:
        values: k singular values, largest first.
        perturbation: for each of the k − 1 gaps, the size of the perturbation across it.

    Raises:
        InputError: there are not k − 1 perturbations.

    Example:
        >>> import torch
        >>> degenerate_groups(torch.tensor([5.0, 3.0, 2.9]), torch.tensor([0.5, 0.5]))
        ((0, 1), (1, 3))
    """
    if perturbation.numel() != values.numel() - 1:
        raise InputError(
            f"{perturbation.numel()} perturbations for {values.numel()} values",
            remedy="pass one for each gap",
        )
    apart = (-values.diff() > perturbation).tolist()
    starts = [0, *(i + 1 for i, split in enumerate(apart) if split)]
    return tuple(zip(starts, [*starts[1:], values.numel()], strict=True))


def align(
    replica: Triples,
    reference: Triples,
    *,
    groups: Groups | None = None,
    method: Method = "hungarian",
) -> Alignment:
    """Match a replica's triples to the k reference directions.

    The similarity of a triple to a direction is |⟨û, u⟩||⟨v̂, v⟩|; to a degenerate subspace it is
    the product of the norms of its projections.

    Args:
        replica: at least k triples; a few more let a direction be found at another rank.
        reference: k triples.
        groups: degenerate subspaces of the reference; every direction on its own if not given.
        method: ``hungarian`` maximises the total similarity; ``greedy`` lets the reference
            directions choose in their order.

    Raises:
        InputError: the replica has fewer triples than the reference.

    Source:
        Kuhn 1955 (assignment); Björck & Golub 1973 (principal angles).

    Example:
        >>> import torch
        >>> from spectrain.noise import top_triples
        >>> a = top_triples(torch.diag(torch.tensor([3.0, 2.0])), 2)
        >>> b = top_triples(torch.diag(torch.tensor([2.0, 3.0])), 2)
        >>> align(b, a).order
        tensor([1, 0])
    """
    if replica.k < reference.k:
        raise InputError(
            f"{replica.k} triples cannot cover {reference.k} directions",
            remedy="take as many triples of the replica as of the reference",
        )
    groups = groups or tuple((i, i + 1) for i in range(reference.k))
    left = reference.left.mT @ replica.left
    right = reference.right.mT @ replica.right
    similarity = _projection(left, groups) * _projection(right, groups)
    order = (_hungarian if method == "hungarian" else _greedy)(similarity)
    left, right = left[:, order], right[:, order]
    sign = torch.where(left.diagonal() + right.diagonal() < 0, -1.0, 1.0).to(left)
    triples = Triples(
        replica.left[:, order] * sign,
        replica.values[order],
        replica.right[:, order] * sign,
        replica.residual[order],
    )
    return Alignment(
        order,
        _principal(left * sign, groups),
        _principal(right * sign, groups),
        triples,
        groups,
    )


def _projection(cosines: Float[Tensor, "k q"], groups: Groups) -> Float[Tensor, "k q"]:
    """Norm of each replica vector's projection on the subspace of each reference direction."""
    if len(groups) == cosines.shape[0]:
        return cosines.abs()
    rows = [torch.linalg.vector_norm(cosines[a:b], dim=0).expand(b - a, -1) for a, b in groups]
    return torch.cat(rows)


def _principal(cosines: Float[Tensor, "k k"], groups: Groups) -> Float[Tensor, " k"]:
    """Diagonal of ``cosines``; singular values of its diagonal blocks where they are larger."""
    if len(groups) == cosines.shape[0]:
        return cosines.diagonal()
    parts = [
        cosines[a, a].reshape(1) if b - a == 1 else torch.linalg.svdvals(cosines[a:b, a:b])
        for a, b in groups
    ]
    return torch.cat(parts)


def _group_means(squares: Float[Tensor, " k"], groups: Groups) -> Float[Tensor, " k"]:
    if len(groups) == squares.numel():
        return squares
    return torch.cat([squares[a:b].mean().expand(b - a) for a, b in groups])


def _hungarian(similarity: Float[Tensor, "k q"]) -> Int[Tensor, " k"]:
    from scipy.optimize import linear_sum_assignment

    _, order = linear_sum_assignment(similarity.cpu().numpy(), maximize=True)
    return torch.as_tensor(order, device=similarity.device)


def _greedy(similarity: Float[Tensor, "k q"]) -> Int[Tensor, " k"]:
    left = similarity.clone()
    order = []
    for row in range(similarity.shape[0]):
        best = left[row].argmax()
        left[:, best] = -1.0
        order.append(best)
    return torch.stack(order)
