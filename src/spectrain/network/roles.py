"""What each matrix does: from structure first, and from names where structure leaves it open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from spectrain.core import Role, Skipped, Tap
from spectrain.network.attention import find_attentions
from spectrain.network.depth import Layering
from spectrain.network.mlp import mlp_of
from spectrain.network.names import HEAD, PATCH
from spectrain.network.site import Matrix
from spectrain.network.split import Pieces, split_attention


def assign_roles(
    matrices: Sequence[Matrix], layering: Layering, heads: bool | int
) -> tuple[Pieces, list[Skipped]]:
    """The blocks of every matrix, each with its role, and what stays whole against the wish."""
    matrices = [_expert(matrix) for matrix in matrices]
    pieces: Pieces = {}
    unsplit: list[Skipped] = []
    for attention in find_attentions(matrices):
        parts, whole = split_attention(attention, heads)
        pieces |= parts
        unsplit += whole
    for matrix in matrices:
        if matrix.role is not None:
            pieces.setdefault(matrix.name, [matrix])

    def remaining() -> list[Matrix]:
        return [matrix for matrix in matrices if matrix.name not in pieces]

    pieces |= _as(Role.HEAD, _heads(remaining(), _vocabulary(matrices), layering))
    for group in _by_module(remaining()):
        in_layer = layering.plain or layering.layer(group[0].path) is not None
        pieces |= mlp_of(group, by_shape=in_layer)
    for group in _by_layer(remaining(), layering):
        pieces |= mlp_of(group, by_shape=True)
    patches = [m for m in remaining() if PATCH.search(m.address) and not layering.layer(m.path)]
    pieces |= _as(Role.EMBEDDING, patches)
    pieces |= _as(Role.OTHER, remaining())
    return pieces, unsplit


def _as(role: Role, matrices: Iterable[Matrix]) -> Pieces:
    return {matrix.name: [replace(matrix, role=role)] for matrix in matrices}


def _expert(matrix: Matrix) -> Matrix:
    expert = matrix.role is None and "experts" in matrix.address.split(".")
    return replace(matrix, role=Role.EXPERT) if expert else matrix


def _vocabulary(matrices: Iterable[Matrix]) -> int | None:
    """Size of the largest table that is looked up by token."""
    tables = [m for m in matrices if m.feed is not None and m.feed.tap is Tap.TOKENS]
    return max((table.shape[1] for table in tables), default=None)


def _heads(matrices: Iterable[Matrix], vocabulary: int | None, layering: Layering) -> list[Matrix]:
    """The last linear layer that yields one number for each token, and what is named a head."""
    outside = [
        matrix
        for matrix in matrices
        if not matrix.bare and (layering.plain or layering.layer(matrix.path) is None)
    ]
    unembedding = [matrix for matrix in outside if matrix.shape[0] == vocabulary][-1:]
    return unembedding + [matrix for matrix in outside if matrix.stem in HEAD]


def _by_module(matrices: Iterable[Matrix]) -> list[list[Matrix]]:
    groups: defaultdict[str, list[Matrix]] = defaultdict(list)
    for matrix in matrices:
        groups[matrix.container].append(matrix)
    return list(groups.values())


def _by_layer(matrices: Iterable[Matrix], layering: Layering) -> list[list[Matrix]]:
    groups: defaultdict[str, list[Matrix]] = defaultdict(list)
    for matrix in matrices:
        layer = layering.layer(matrix.path)
        if layer is not None:
            groups[layer].append(matrix)
    return list(groups.values())
