"""What each matrix does: from structure first, and from names where structure leaves it open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from spectrain.core import Role, Skipped, Tap
from spectrain.network.attention import find_attentions
from spectrain.network.composed import factor_roles
from spectrain.network.depth import Layering
from spectrain.network.experts import experts_and_routers
from spectrain.network.heads import chain_roles, head_roles, leading_roles
from spectrain.network.mlp import mlp_by_name, mlp_of
from spectrain.network.names import BESIDE, IN_MLP, PATCH
from spectrain.network.site import Matrix
from spectrain.network.split import Pieces, split_attention


def assign_roles(
    matrices: Sequence[Matrix],
    layering: Layering,
    heads: bool | int,
    parameters: Iterable[str] = (),
) -> tuple[Pieces, list[Skipped]]:
    """The blocks of every matrix, each with its role, and what could not be split as asked.

    Args:
        matrices: of the whole network, in its order.
        layering: its layers.
        heads: as in :func:`~spectrain.network.find_blocks`.
        parameters: paths of all parameters, even of those that hold no matrix.
    """
    pieces: Pieces = dict(factor_roles(matrices))

    def remaining() -> list[Matrix]:
        return [matrix for matrix in matrices if matrix.name not in pieces]

    known, unsplit = experts_and_routers(remaining())
    pieces |= known
    pieces |= _beside(remaining(), frozenset(parameters))
    for attention in find_attentions(remaining()):
        parts, whole = split_attention(attention, heads)
        pieces |= parts
        unsplit += whole
    for matrix in matrices:
        if matrix.role is not None:
            pieces.setdefault(matrix.name, [matrix])

    pieces |= head_roles(remaining(), _vocabulary(matrices), layering, matrices)
    for group in _grouped(remaining(), lambda matrix: matrix.container):
        in_layer = layering.plain or layering.layer(group[0].path) is not None
        pieces |= mlp_of(group, by_shape=in_layer)
    for place in (_feed_forward, lambda matrix: layering.layer(matrix.path)):
        for group in _grouped(remaining(), place):
            pieces |= mlp_of(group, by_shape=True)
    for group in _grouped(remaining(), _feed_forward):
        pieces |= mlp_by_name(group)
    patches = [m for m in remaining() if PATCH.search(m.address) and not layering.layer(m.path)]
    pieces |= _as(Role.EMBEDDING, patches)
    if layering.plain or _one_map_a_layer(remaining(), layering, pieces):
        pieces |= chain_roles(matrices, pieces)
    else:
        pieces |= leading_roles(matrices, layering, pieces)
    pieces |= _as(Role.OTHER, remaining())
    return pieces, unsplit


def _one_map_a_layer(
    matrices: Sequence[Matrix], layering: Layering, pieces: Mapping[str, Sequence[Matrix]]
) -> bool:
    """Whether the layers are single linear maps, perhaps with a second one beside, as on graphs."""
    layers = _grouped(matrices, lambda matrix: layering.layer(matrix.path))
    alike = all(len({m.shape for m in layer}) == 1 and len(layer) < 3 for layer in layers)
    known = {piece.role for parts in pieces.values() for piece in parts}
    return len(layers) > 1 and alike and known <= {Role.EMBEDDING, Role.NORM, Role.HEAD}


def _as(role: Role, matrices: Iterable[Matrix]) -> Pieces:
    return {matrix.name: [replace(matrix, role=role)] for matrix in matrices}


def _beside(matrices: Iterable[Matrix], parameters: frozenset[str]) -> Pieces:
    """What has its meaning from a parameter that stands beside it, such as a state space's."""
    pieces: Pieces = {}
    for matrix in matrices:
        for marks, names in BESIDE:
            marked = any(f"{matrix.parent}.{mark}".lstrip(".") in parameters for mark in marks)
            if marked and matrix.role is None and matrix.stem in names:
                pieces |= _as(names[matrix.stem], [matrix])
    return pieces


def _vocabulary(matrices: Iterable[Matrix]) -> int | None:
    """Size of the largest table that is looked up by token."""
    tables = [m for m in matrices if m.feed is not None and m.feed.tap is Tap.TOKENS]
    return max((table.shape[1] for table in tables), default=None)


def _feed_forward(matrix: Matrix) -> str | None:
    """Path of the module around a matrix that is called an MLP; ``None`` where none is."""
    parts = matrix.container.split(".")
    while parts and not IN_MLP.fullmatch(parts[-1]):
        parts.pop()
    return ".".join(parts) or None


def _grouped(
    matrices: Iterable[Matrix], place: Callable[[Matrix], str | None]
) -> list[list[Matrix]]:
    groups: defaultdict[str, list[Matrix]] = defaultdict(list)
    for matrix in matrices:
        where = place(matrix)
        if where is not None:
            groups[where].append(matrix)
    return list(groups.values())
