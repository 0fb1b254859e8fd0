"""Attention: which matrices make its queries, keys, values and output.

Queries and keys are told apart by name only, since they have the same shapes. The rest follows from
structure: a linear layer three times as high as its sibling is wide is a fused projection, and what
remains under the same module and takes as many inputs as there are queries is the output.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from spectrain.core import Role
from spectrain.network.names import ATTENTION, IN_ATTENTION, meaning
from spectrain.network.site import Matrix

_INPUTS = frozenset(role for role in Role if role.kind == "attention") - {Role.ATTENTION_O}
_SHELLS = frozenset({"self", "head", "heads"})


@dataclass(frozen=True, slots=True)
class Attention:
    """The matrices of one attention; several for a role where every head has its own.

    ``latents`` lead into the narrow latents of queries, keys and values.
    """

    queries: list[Matrix] = field(default_factory=list)
    keys: list[Matrix] = field(default_factory=list)
    values: list[Matrix] = field(default_factory=list)
    fused: list[Matrix] = field(default_factory=list)
    latents: list[Matrix] = field(default_factory=list)
    outputs: list[Matrix] = field(default_factory=list)

    @property
    def inputs(self) -> list[Matrix]:
        """All but the output matrices."""
        return self.queries + self.keys + self.values + self.fused + self.latents

    @property
    def complete(self) -> bool:
        """Whether there are queries and keys: without both, the names mean something else."""
        if self.queries:
            return bool(self.keys or self.fused)
        return any(matrix.role is Role.ATTENTION_QKV for matrix in self.fused)

    def add(self, matrix: Matrix, role: Role) -> None:
        """Take in ``matrix`` under ``role``."""
        members = {
            Role.ATTENTION_Q: self.queries,
            Role.ATTENTION_K: self.keys,
            Role.ATTENTION_V: self.values,
            Role.ATTENTION_QKV: self.fused,
            Role.ATTENTION_KV: self.fused,
            Role.ATTENTION_Q_DOWN: self.latents,
            Role.ATTENTION_KV_DOWN: self.latents,
            Role.ATTENTION_O: self.outputs,
        }
        members[role].append(replace(matrix, role=role))


def find_attentions(matrices: Sequence[Matrix]) -> list[Attention]:
    """All attentions among the matrices of a network.

    An attention of which a part is missing, as under adapters or in a part of a file, counts where
    its module is called so and all that is there has the names of attention.
    """
    tripled = {matrix.name for matrix in _tripled(matrices)}
    by_root: defaultdict[str, Attention] = defaultdict(Attention)
    for matrix in matrices:
        role = Role.ATTENTION_QKV if matrix.name in tripled else matrix.role
        role = role or meaning(ATTENTION, matrix.stem)
        if role is not None and role in _INPUTS:
            by_root[_root(matrix.parent)].add(matrix, role)
    attentions = {root: attention for root, attention in by_root.items() if attention.complete}
    for root, attention in attentions.items():
        for matrix in _outputs(attention, matrices, root):
            attention.add(matrix, Role.ATTENTION_O)
    return [*attentions.values(), *_partial(matrices, attentions)]


def _root(parent: str) -> str:
    """Path of the attention that a projection's parent is, or is a part of."""
    parts = parent.split(".")
    while len(parts) > 1 and (
        parts[-1] in _SHELLS or (parts[-1].isdigit() and parts[-2] in _SHELLS)
    ):
        parts.pop()
    if len(parts) > 1 and all("attention" in part.lower() for part in parts[-2:]):
        parts.pop()
    return ".".join(parts)


def _tripled(matrices: Sequence[Matrix]) -> Iterator[Matrix]:
    """Fused projections by shape: of two siblings one is 3h × d and the other d × h."""
    siblings: defaultdict[str, list[Matrix]] = defaultdict(list)
    for matrix in matrices:
        if matrix.role is None and not matrix.bare:
            siblings[matrix.parent].append(matrix)
    for pair in siblings.values():
        if len(pair) == 2:
            for first, second in (pair, pair[::-1]):
                if first.shape == (3 * second.shape[1], second.shape[0]):
                    yield first


def _outputs(attention: Attention, matrices: Sequence[Matrix], root: str) -> list[Matrix]:
    taken = {matrix.name for matrix in attention.inputs}
    height = sum(matrix.shape[0] for matrix in attention.queries)
    rest = [
        matrix
        for matrix in matrices
        if matrix.role is None
        and matrix.name not in taken
        and (not root or matrix.address.startswith(f"{root}."))
        and (not height or attention.latents or matrix.shape[1] == height)
    ]
    named = [m for m in rest if meaning(ATTENTION, m.stem) is Role.ATTENTION_O]
    return next((choice for choice in (named, rest) if len(choice) == 1), [])


def _partial(matrices: Sequence[Matrix], complete: dict[str, Attention]) -> Iterator[Attention]:
    siblings: defaultdict[str, list[Matrix]] = defaultdict(list)
    for matrix in matrices:
        siblings[_root(matrix.parent)].append(matrix)
    for root, group in siblings.items():
        called = IN_ATTENTION.search(root.rpartition(".")[2])
        open_ones = [matrix for matrix in group if matrix.role is None and not matrix.bare]
        meant = {m.name: role for m in open_ones if (role := meaning(ATTENTION, m.stem))}
        known = open_ones and len(meant) == len(open_ones)
        if called and known and not any(root.startswith(one) for one in complete):
            attention = Attention()
            for matrix in open_ones:
                attention.add(matrix, meant[matrix.name])
            yield attention
