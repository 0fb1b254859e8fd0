"""A finding: the answer to one question about one run, with its evidence and its limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Generic, TypeVar

from spectrain.core import Block, Role
from spectrain.core.notebook import small_table


class Status(StrEnum):
    """How far a question is settled by the records at hand."""

    ANSWERED = "answered"
    OPEN = "open"
    NOT_ENOUGH_DATA = "not enough data"


class Label(StrEnum):
    """What kind of knowledge an answer rests on."""

    THEOREM = "theorem"
    HEURISTIC = "heuristic"
    TEST = "test"


class Sign(StrEnum):
    """What an answer asks of its reader: to do something, to keep an eye on it, or nothing."""

    ACT = "act"
    WATCH = "watch"
    GOOD = "good"
    NOT_ENOUGH_DATA = "not enough data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What rows and groups have in common: their fields, and old scripts' way of reading them.

    ``row["field"]`` and ``row.get("field")`` are how evidence was read when it was made of
    dictionaries. They are deprecated: read ``row.field``, which type checkers understand.

    Example:
        >>> from spectrain.core import Role
        >>> group = Group(role=Role.HEAD, depth=None, blocks=1)
        >>> group["blocks"], dict(group)["blocks"], group.get("height")
        (1, 1, None)
    """

    def __getitem__(self, name: str) -> Any:
        if name not in self.keys():  # this is not a mapping
            raise KeyError(name)
        return getattr(self, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __contains__(self, name: object) -> bool:
        return name in self.keys()

    def keys(self) -> list[str]:
        """Names of the fields."""
        return [field.name for field in fields(self)]

    def get(self, name: str, default: Any = None) -> Any:
        """The field, or the default where there is none of that name."""
        return getattr(self, name) if name in self else default


@dataclass(frozen=True, slots=True, kw_only=True)
class Row(Evidence):
    """What is known of one block; every question adds fields of its own.

    Attributes:
        block: its name.
        role: what it does in its network.
        depth: of the layer that holds it, from 0.
        shape: outputs × inputs.
        reason: why something of it could not be said.
    """

    block: str
    role: Role
    depth: int | None
    shape: tuple[int, ...]
    reason: str | None = None


def about(block: Block) -> dict[str, Any]:
    """The fields that every row has, of a block.

    Example:
        >>> from spectrain.core import Role
        >>> about(Block("w", Role.HEAD, None, (2, 3), "w"))["shape"]
        (2, 3)
    """
    return {
        "block": block.name,
        "role": block.role,
        "depth": block.depth,
        "shape": tuple(block.shape),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Group(Evidence):
    """What is known of several blocks together: of a role, of a depth, or of the whole network.

    Attributes:
        role: of the blocks; ``None`` where they are grouped otherwise.
        depth: of the blocks; ``None`` likewise.
        blocks: how many.
    """

    role: Role | None = None
    depth: int | None = None
    blocks: int


R = TypeVar("R")
G = TypeVar("G")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding(Generic[R, G]):
    """The answer to one question about one run.

    Attributes:
        name: the question's short name, such as ``descent``.
        question: the question in full.
        status: how far it is settled.
        sign: what the answer asks of its reader.
        sentence: the answer in one sentence, numbers to three digits at most.
        action: the one thing to do; where data is lacking, what would answer the question.
        statement: the answer in plain words, all of it.
        confidence: how sure the answer is, and by which method.
        label: theorem, heuristic or statistical test.
        rows: the evidence, one row a block.
        groups: the same evidence by role or by depth.
        advice: what to do about it; the action need not be among it.
        limits: what the answer does not cover, and what could not be said for lack of data.
    """

    name: str
    question: str
    status: Status
    sign: Sign
    sentence: str
    action: str
    statement: str
    confidence: str
    label: Label
    rows: tuple[R, ...] = ()
    groups: tuple[G, ...] = ()
    advice: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()

    @property
    def to_do(self) -> tuple[str, ...]:
        """Everything to do: the action, unless the advice says it already, and the advice."""
        first = (self.action,) if self.action and self.action not in self.advice else ()
        return (*first, *self.advice)

    def __repr__(self) -> str:
        return f"Finding({self.name}: {self.sign}; {self.sentence})"

    def _repr_html_(self) -> str:
        rows = [("", self.sentence), ("→", self.action)][: 1 + bool(self.action)]
        rows += [("limit", limit) for limit in self.limits]
        return small_table(f"{self.name}: {self.sign}. {self.question}", rows)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        plain = asdict(self)
        for name in ("status", "sign", "label"):
            plain[name] = str(plain[name])
        return plain
