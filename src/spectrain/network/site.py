"""What the search for blocks knows of a network: its modules, their weights, and their matrices.

A live model and a checkpoint are both read into :class:`Site` s; from there on they are treated
alike.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

from spectrain.core import Feed, Role, View
from spectrain.network.names import container_of, parent_of, stem_of

Ranges = tuple[tuple[int, int], ...]


class Kind(StrEnum):
    """How a module uses its weights."""

    LINEAR = "linear"
    LINEAR_TRANSPOSED = "linear, stored input × output"
    EMBEDDING = "embedding"
    CONV = "convolution"
    CONV_TRANSPOSED = "transposed convolution"
    NORM = "norm"
    MULTIPLIER = "multiplier"
    ATTENTION = "torch.nn.MultiheadAttention"
    RECURRENT = "recurrent"
    EXPERTS = "stacked experts"
    BARE = "bare parameters"


@dataclass(frozen=True, slots=True)
class Weight:
    """One parameter, and why it cannot be a block where that is known already.

    ``elsewhere`` are further modules that use it in the same way. It is ``direct`` where its module
    multiplies by it, except for the lengths of its rows.
    """

    local: str
    parameter: str
    shape: tuple[int, ...]
    aliases: tuple[str, ...] = ()
    unusable: str | None = None
    elsewhere: tuple[str, ...] = ()
    direct: bool = True


@dataclass(frozen=True, slots=True)
class Site:
    """One module that owns weights.

    Attributes:
        path: qualified name of the module.
        kind: how it uses its weights.
        weights: those that it owns; a tied weight is owned once.
        heads: number of attention heads that the module or one that encloses it declares.
        groups: of a convolution.
        model_type: the architecture that a configuration around the module names.
    """

    path: str
    kind: Kind
    weights: tuple[Weight, ...]
    heads: int | None = None
    groups: int = 1
    model_type: str | None = None


@dataclass(frozen=True)
class Matrix:
    """A block in the making: the matrix of one weight, or a part of it.

    Attributes:
        address: module path and local name of the weight, where the matrix is used.
        weight: the parameter.
        view: how the matrix is read from it.
        shape: outputs × inputs.
        feed: the activation that it multiplies; ``None`` where no hook can see it.
        criterion: the activation of the descent criterion, where it is another one.
        role: ``None`` until it is found.
        part: which part of the parameter, such as ``q`` or ``q.head 0``.
        heads: the number of heads declared around it.
        bare: no module is known to multiply by it.
        model_type: the architecture that a configuration around it names.
    """

    address: str
    weight: Weight
    view: View
    shape: tuple[int, int]
    feed: Feed | None = None
    criterion: Feed | None = None
    role: Role | None = None
    part: str = ""
    heads: int | None = None
    bare: bool = False
    model_type: str | None = None

    @property
    def name(self) -> str:
        """The block's name: the parameter's, and the part in brackets."""
        return f"{self.weight.parameter}[{self.part}]" if self.part else self.weight.parameter

    @cached_property
    def stem(self) -> str:
        """The name that says what the matrix is for."""
        return stem_of(self.address)

    @cached_property
    def parent(self) -> str:
        """Path of the module that holds it and its siblings."""
        return parent_of(self.address)

    @cached_property
    def container(self) -> str:
        """Path of the module, list or sequence that holds it and its siblings."""
        return container_of(self.address)

    @property
    def path(self) -> str:
        """Where it lies among the layers: its module, or its place in a list of parameters."""
        path, _, local = self.address.rpartition(".")
        return self.address if local.isdigit() else path

    def take_rows(self, ranges: Ranges, part: str, role: Role | None = None) -> Matrix:
        """The part of the matrix with these outputs."""
        rows = _within(self.view.rows or ((0, self.shape[0]),), ranges)
        return replace(
            self,
            view=replace(self.view, rows=rows),
            shape=(_length(rows), self.shape[1]),
            part=_join(self.part, part),
            role=role or self.role,
        )

    def take_columns(self, ranges: Ranges, part: str) -> Matrix:
        """The part of the matrix with these inputs; its feed is narrowed to them."""
        columns = _within(self.view.columns or ((0, self.shape[1]),), ranges)
        return replace(
            self,
            view=replace(self.view, columns=columns),
            shape=(self.shape[0], _length(columns)),
            feed=self.feed and replace(self.feed, columns=columns),
            part=_join(self.part, part),
        )


def _join(outer: str, inner: str) -> str:
    return f"{outer}.{inner}" if outer else inner


def _length(ranges: Ranges) -> int:
    return sum(stop - start for start, stop in ranges)


def _within(outer: Ranges, inner: Ranges) -> Ranges:
    """Ranges of ranges: ``inner`` counts along the concatenation of ``outer``."""
    parts = []
    for start, stop in inner:
        offset = 0
        for low, high in outer:
            first, last = max(start, offset), min(stop, offset + high - low)
            if first < last:
                parts.append((low + first - offset, low + last - offset))
            offset += high - low
    return tuple(parts)
