"""A naming family: what a group of networks call their parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from spectrain.core import InputError, Role

Shape = tuple[int, ...]


class Rows(StrEnum):
    """The order in which a fused projection holds its rows."""

    QKV = "all queries, all keys, all values"
    GROUPED = "head by head: the queries of a group, its key, its value, then the next group"
    QVK_IN_FOUR = "four equal parts, each with its queries, its values, its keys"
    INPUT_FIRST = "the input, then the gate, which is what passes through the nonlinearity"
    ALTERNATING = "gate and input take turns"


@dataclass(frozen=True, slots=True)
class Family:
    """Names that one family of networks gives to its parts.

    A name is the last component of a weight's path that says what the weight is for, in lower case
    (``c_attn`` in ``h.0.attn.c_attn.weight``), or the last two. It means its role only where the
    structure agrees: a query beside keys, an output matrix beside its inputs, a router beside
    experts, a head outside the layers.

    Attributes:
        name: of the family.
        models: whose names these are.
        names: for each role the names, separated by spaces.
        rows: order of the rows of fused projections, where it is not :attr:`Rows.QKV`.
        rows_of_type: the same for networks whose configuration has this ``model_type``.
        beside: what stands beside a matrix of these names, without which they mean something else.
        elementwise: parameters that are used entry by entry and are not matrices.
        example: names and shapes of a small network of the family, with the roles of the blocks
            of each; the contract suite tests the search for blocks on it.
        config: of the example, as ``config.json`` has it.
    """

    name: str
    models: str
    names: Mapping[Role, str]
    example: Mapping[str, tuple[Shape, tuple[Role, ...]]]
    rows: Mapping[str, Rows] = field(default_factory=lambda: MappingProxyType({}))
    rows_of_type: Mapping[str, Mapping[str, Rows]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    beside: frozenset[str] = frozenset()
    elementwise: frozenset[str] = frozenset()
    config: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))


def names_of(families: Iterable[Family], roles: Iterable[Role]) -> dict[str, Role]:
    """The names of some roles in all families together.

    Raises:
        InputError: two families give one name to two of these roles.

    Example:
        >>> one = Family("one", "", {Role.ATTENTION_Q: "wq to_q"}, {})
        >>> names_of([one], [Role.ATTENTION_Q])
        {'wq': <Role.ATTENTION_Q: 'attention.q'>, 'to_q': <Role.ATTENTION_Q: 'attention.q'>}
    """
    wanted = tuple(roles)
    roles_by_name: dict[str, Role] = {}
    for family in families:
        for role in wanted:
            for name in family.names.get(role, "").split():
                if roles_by_name.setdefault(name, role) is not role:
                    raise InputError(
                        f"family {family.name!r} gives {name!r} the role {role}, "
                        f"another one {roles_by_name[name]}",
                        remedy="let structure tell them apart, or use the last two components",
                    )
    return roles_by_name
