"""Heads: what yields the numbers of a network's answer, and the hidden layers that lead there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from spectrain.core import Role
from spectrain.network.depth import Layering
from spectrain.network.names import HEAD, HEADS
from spectrain.network.site import Matrix
from spectrain.network.split import Pieces

_OUTPUTS = {Role.ATTENTION_O, Role.MLP_OUT, Role.EXPERT_OUT, Role.SSM_OUT}
_LINEAR = {None, *Role} - {Role.EMBEDDING, Role.NORM, Role.MULTIPLIER}


def head_roles(
    matrices: Sequence[Matrix],
    vocabulary: int | None,
    layering: Layering,
    everything: Iterable[Matrix],
) -> Pieces:
    """The last linear layer that yields one number for each token, and what is named a head.

    Of several matrices in one module that is called a head, the last one is the head, and the
    others are hidden layers.

    Args:
        matrices: whose roles are open.
        vocabulary: number of tokens.
        layering: a head lies outside the layers.
        everything: all matrices of the network: a tied table may be the one that ends it.
    """
    outside = [
        matrix
        for matrix in matrices
        if not matrix.bare and (layering.plain or layering.layer(matrix.path) is None)
    ]
    roles = {matrix.name: Role.HEAD for matrix in outside if matrix.stem in HEAD}
    modules: defaultdict[str, list[Matrix]] = defaultdict(list)
    for matrix in outside:
        if module := _module(matrix.address):
            modules[module].append(matrix)
    tied = [matrix for matrix in everything if matrix.weight.aliases]
    endings = {_module(alias) for matrix in tied for alias in matrix.weight.aliases}
    taken = {matrix.shape[0] for matrix in tied if matrix.role is Role.EMBEDDING}
    for module, members in modules.items():
        roles |= {matrix.name: Role.HIDDEN for matrix in members}
        if module not in endings and members[-1].shape[0] not in taken:
            roles[members[-1].name] = Role.HEAD
    if vocabulary is not None and (last := _last(outside, vocabulary)) is not None:
        roles[last.name] = Role.HEAD
    return {m.name: [replace(m, role=roles[m.name])] for m in outside if m.name in roles}


def chain_roles(matrices: Sequence[Matrix], pieces: Pieces) -> Pieces:
    """Linear layers of a network without blocks: those that lead on, and those that end it.

    A matrix leads on where a later one takes as many inputs as it has outputs. The last of all,
    where it takes what an earlier one yields and yields fewer numbers, is a head, and so are those
    that take as many: a policy beside its value.

    Args:
        matrices: of the whole network, in its order.
        pieces: what is known already.
    """
    roles = {m.name: pieces[m.name][0].role if m.name in pieces else None for m in matrices}
    linear = [m for m in matrices if m.shape[0] and roles[m.name] in _LINEAR]
    chained = {}
    for at, matrix in enumerate(linear):
        if roles[matrix.name] is not None or matrix.bare:
            continue
        rows, columns = matrix.shape
        yielded = {other.shape[0] for other in linear[:at]}
        after = {other.name for other in linear[at + 1 :]}
        after |= {name for name, role in roles.items() if role is Role.HEAD}
        if rows in (other.shape[1] for other in linear if other.name in after):
            chained[matrix.name] = [replace(matrix, role=Role.HIDDEN)]
        elif columns == linear[-1].shape[1] and rows < columns in yielded:
            chained[matrix.name] = [replace(matrix, role=Role.HEAD)]
    return chained


def leading_roles(matrices: Sequence[Matrix], layering: Layering, pieces: Pieces) -> Pieces:
    """Linear layers between the blocks and a head: a pooler, a transform, a last projection.

    They take what the blocks yield and yield what a head takes; the head may be a tied table.
    """
    roles = {m.name: {piece.role for piece in pieces.get(m.name, ())} for m in matrices}
    inside = [m for m in matrices if layering.layer(m.path) is not None]
    stream = {m.shape[0] for m in inside if roles[m.name] & _OUTPUTS}
    taken = {m.shape[1] for m in matrices if Role.HEAD in roles[m.name]}
    taken |= {m.shape[0] for m in matrices if Role.EMBEDDING in roles[m.name] and m.weight.aliases}
    return {
        m.name: [replace(m, role=Role.HIDDEN)]
        for m in matrices
        if m.name not in pieces and not m.bare and layering.layer(m.path) is None
        if m.shape[0] in taken and m.shape[1] in stream
    }


def _last(matrices: Sequence[Matrix], rows: int) -> Matrix | None:
    return next((matrix for matrix in reversed(matrices) if matrix.shape[0] == rows), None)


def _module(address: str) -> str | None:
    """Path of the outermost module around a weight that is called a head."""
    parts = address.split(".")[:-1]
    for at, part in enumerate(parts):
        if HEADS.fullmatch(part.lower()):
            return ".".join(parts[: at + 1])
    return None
