"""MLPs: two matrices of which one expands and the other contracts, or three where one is a gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from spectrain.core import Role
from spectrain.network.names import MLP, role_in
from spectrain.network.site import Matrix
from spectrain.network.split import Pieces, split_gate

_IN, _GATE, _OUT = Role.MLP_IN, Role.MLP_GATE, Role.MLP_OUT


def mlp_of(group: Sequence[Matrix], *, by_shape: bool) -> Pieces:
    """The blocks of the MLP that a group of sibling matrices forms; nothing if it forms none.

    Args:
        group: matrices whose roles are open.
        by_shape: shapes suffice; otherwise known names must say the same as the shapes.
    """
    members = _named(group) or (_shaped(group) if by_shape else {})
    if not members:
        return {}
    width = members[_OUT].shape[1]
    pieces = {}
    for role, matrix in members.items():
        fused = matrix.shape[0] == 2 * width and role is not _OUT
        pieces[matrix.name] = split_gate(matrix) if fused else [replace(matrix, role=role)]
    return pieces


def mlp_by_name(group: Sequence[Matrix]) -> Pieces:
    """Roles of a part of an MLP, as under adapters or in a part of a file: all by their names.

    What leads in must not contract and what leads out must not expand: a router is not a gate.
    """
    roles = {matrix.name: role_in(MLP, matrix.address) for matrix in group}
    if None in roles.values() or len(set(roles.values())) < len(group):
        return {}
    for matrix in group:
        width, hidden = matrix.shape if roles[matrix.name] is _OUT else matrix.shape[::-1]
        if hidden < width:
            return {}
    return {matrix.name: [replace(matrix, role=roles[matrix.name])] for matrix in group}


def _named(group: Sequence[Matrix]) -> dict[Role, Matrix]:
    members: dict[Role, Matrix] = {}
    for matrix in group:
        role = role_in(MLP, matrix.address)
        if role is None:
            continue
        if role in members:
            return {}
        members[role] = matrix
    if _IN not in members and _GATE in members:
        members[_IN] = members.pop(_GATE)
    fits = {_IN, _OUT} <= members.keys() and _fits(members)
    return members if fits else {}


def _fits(members: dict[Role, Matrix]) -> bool:
    """Whether in and gate lead into the hidden width that out leads back from."""
    width, hidden = members[_OUT].shape
    if _GATE in members:
        return members[_IN].shape == members[_GATE].shape == (hidden, width)
    return members[_IN].shape in {(hidden, width), (2 * hidden, width)}


def _shaped(group: Sequence[Matrix]) -> dict[Role, Matrix]:
    """By shape alone, the last matrix leads back: a bottleneck, the other way round, is no MLP."""
    if len(group) not in {2, 3} or any(matrix.bare for matrix in group):
        return {}
    *inputs, out = group
    width, hidden = out.shape
    if len(inputs) == 1:
        return {_IN: inputs[0], _OUT: out} if _expands(inputs[0], width, hidden) else {}
    if not all(matrix.shape == (hidden, width) != out.shape for matrix in inputs):
        return {}
    first, second = inputs
    gate, into = (second, first) if "gate" in second.stem else (first, second)
    return {_GATE: gate, _IN: into, _OUT: out}


def _expands(into: Matrix, width: int, hidden: int) -> bool:
    return into.shape == (2 * hidden, width) or (into.shape == (hidden, width) and hidden > width)
