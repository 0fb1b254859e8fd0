"""Fused matrices apart, and heads apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from spectrain.core import Role, Skipped
from spectrain.network.attention import Attention
from spectrain.network.families import Rows
from spectrain.network.names import rows_of
from spectrain.network.site import Matrix, Ranges

Pieces = dict[str, list[Matrix]]
"""What becomes of each matrix, by its name."""

_NO_COUNT = "no head count was found: pass heads=N"
_QKV = (Role.ATTENTION_Q, Role.ATTENTION_K, Role.ATTENTION_V)


def split_attention(attention: Attention, heads: bool | int) -> tuple[Pieces, list[Skipped]]:
    """The blocks of an attention: fused projections apart and, on request, heads.

    The criterion activation of the output matrix is what the values are made of, not the mixture
    of values that it multiplies (Davis & Drusvyatskiy, Table 1).

    Args:
        attention: its matrices.
        heads: whether to part the heads; a number says how many query heads each attention has.

    Returns:
        The blocks, and what had to stay whole, with the reason.
    """
    pieces: Pieces = {matrix.name: [matrix] for matrix in attention.inputs}
    unsplit = []
    count = _head_count(attention, heads)
    for fused in attention.fused:
        ranges = _fused_rows(fused, attention, count)
        if isinstance(ranges, str):
            unsplit.append(Skipped(fused.weight.parameter, ranges))
            continue
        pieces[fused.name] = [
            fused.take_rows(rows, role.value[-1], role)
            for role, rows in zip(_QKV[-len(ranges) :], ranges, strict=True)
        ]
    sources = attention.values or attention.fused or attention.queries
    for output in attention.outputs:
        pieces[output.name] = [replace(output, criterion=sources[0].feed if sources else None)]
    if heads is False:
        return pieces, unsplit
    pieces, whole = _split_heads(pieces, attention, count)
    return pieces, unsplit + whole


def split_gate(matrix: Matrix) -> list[Matrix]:
    """Gate and input matrix of an MLP out of their fusion; the gate comes first, as in Llama."""
    half = matrix.shape[0] // 2
    parts = [("gate", Role.MLP_GATE), ("in", Role.MLP_IN)]
    if rows_of(matrix.address, matrix.model_type) is Rows.INPUT_FIRST:
        parts.reverse()
    return [
        matrix.take_rows(((at * half, (at + 1) * half),), name, role)
        for at, (name, role) in enumerate(parts)
    ]


def _head_count(attention: Attention, heads: bool | int) -> int | None:
    """Number of query heads: as given, by the matrices of single heads, or as declared."""
    if not isinstance(heads, bool):
        return heads
    if len(attention.queries) > 1:
        return len(attention.queries)
    return next((matrix.heads for matrix in attention.inputs if matrix.heads), None)


def _fused_rows(fused: Matrix, attention: Attention, heads: int | None) -> list[Ranges] | str:
    """Rows of q, k and v (of k and v, where q is apart), or why they are not known.

    The output matrix takes as many inputs as there are query rows; keys and values share the rest,
    so that grouped queries need no configuration.
    """
    order = rows_of(fused.address, fused.model_type)
    outputs = sum(output.shape[1] for output in attention.outputs)
    if fused.role is Role.ATTENTION_KV:
        return _key_value_rows(fused.shape[0], outputs, order, heads)
    height = fused.shape[0]
    queries = outputs or height // 3
    rest = height - queries
    if rest < 2 or rest % 2:
        return f"{height} rows with {queries} of queries: the sizes of keys and values are unclear"
    if order is Rows.QVK_IN_FOUR:
        return _in_four(height)
    if order is Rows.QKV:
        edges = (0, queries, queries + rest // 2, height)
        return [((start, stop),) for start, stop in pairwise(edges)]
    if heads is None:
        return f"rows run head by head, and {_NO_COUNT}"
    width = queries // heads
    groups = rest // (2 * width) if width else 0
    if heads * width != queries or groups * 2 * width != rest or not groups or heads % groups:
        return f"rows run head by head, and {height} rows are not those of {heads} heads"
    return list(_interleaved(groups, queries // groups, width, width))


def _key_value_rows(
    height: int, outputs: int, order: Rows, heads: int | None
) -> list[Ranges] | str:
    """Rows of k and v; head by head, a value is as wide as the output matrix has inputs for it."""
    if order is Rows.QKV:
        if height % 2:
            return f"{height} rows are no keys and values of one size"
        return [((0, height // 2),), ((height // 2, height),)]
    if heads is None:
        return f"rows run head by head, and {_NO_COUNT}"
    value = outputs // heads
    key = height // heads - value
    if value < 1 or key < 1 or heads * (key + value) != height or heads * value != outputs:
        return f"rows run head by head, and {height} rows are not those of {heads} heads"
    return list(_interleaved(heads, 0, key, value))[1:]


def _in_four(height: int) -> list[Ranges] | str:
    if height % 12:
        return f"{height} rows are not four parts with queries, values and keys each"
    part, third = height // 4, height // 12
    return [
        tuple((i * part + at * third, i * part + (at + 1) * third) for i in range(4))
        for at in (0, 2, 1)
    ]


def _interleaved(groups: int, queries: int, key: int, value: int) -> Iterator[Ranges]:
    """Rows in the order q of a group of heads, its k, its v, then those of the next group."""
    edges = (0, queries, queries + key, queries + key + value)
    for start, stop in pairwise(edges):
        yield tuple((g * edges[-1] + start, g * edges[-1] + stop) for g in range(groups))


def _split_heads(
    pieces: Pieces, attention: Attention, count: int | None
) -> tuple[Pieces, list[Skipped]]:
    numbers = _heads_by_role(pieces, attention, count)
    parted: Pieces = {name: [] for name in pieces}
    unsplit = []
    for name, matrices in pieces.items():
        for matrix in matrices:
            number = numbers.get(matrix.role)
            heads = _cut(matrix, number) if number else []
            parted[name] += heads or [matrix]
            if matrix.role in numbers and not heads:
                reason = f"{matrix.shape} is not made of {number} equal heads"
                unsplit.append(Skipped(matrix.weight.parameter, reason if number else _NO_COUNT))
    return parted, unsplit


def _heads_by_role(
    pieces: Pieces, attention: Attention, count: int | None
) -> dict[Role | None, int | None]:
    """Number of heads of the matrices that hold several; keys are as wide as queries."""
    if len(attention.queries) > 1:
        return {Role.ATTENTION_O: count}
    rows = {matrix.role: matrix.shape[0] for whole in pieces.values() for matrix in whole}
    queries, keys = rows.get(Role.ATTENTION_Q, 0), rows.get(Role.ATTENTION_K, 0)
    groups = keys * count // queries if count and queries else None
    return {
        Role.ATTENTION_Q: count,
        Role.ATTENTION_K: groups,
        Role.ATTENTION_V: groups,
        Role.ATTENTION_O: count,
    }


def _cut(matrix: Matrix, number: int) -> list[Matrix]:
    """Equal parts: of the rows, or of the columns of an output matrix; none if they do not fit."""
    by_columns = matrix.role is Role.ATTENTION_O
    size, rest = divmod(matrix.shape[by_columns], number)
    if rest or not size:
        return []
    take = matrix.take_columns if by_columns else matrix.take_rows
    return [take(((i * size, (i + 1) * size),), f"head {i}") for i in range(number)]
