"""Methods of adaptation, each registered by the file that knows its factors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from torch import Tensor

from spectrain.checkpoint.adapters.config import AdapterConfig
from spectrain.checkpoint.stored import Checkpoint, Stored
from spectrain.core import InputError, Skipped

Onto = Callable[[Tensor], Tensor]
"""Makes the adapted weight out of the base model's."""

Factors = dict[str, dict[str, Stored]]
"""Modules with their factors by the names that the method gives them."""


@dataclass(frozen=True, slots=True)
class Joined:
    """The change that an adapter makes to one weight.

    Attributes:
        name: of the weight.
        change: how the change is read; ``None`` where it is not known without the base model.
        parts: names of the factors.
        onto: makes the adapted weight out of the base model's, where that is more than a sum.
        reason: why there is no change.
    """

    name: str
    change: Stored | None
    parts: tuple[str, ...]
    onto: Onto | None = None
    reason: str = ""


Method = Callable[[Mapping[str, Stored], AdapterConfig], Iterable[Joined]]

METHODS: dict[str, Method] = {}
"""By name; each joins factors that those before it have left."""


def method(name: str) -> Callable[[Method], Method]:
    """Decorator: register what joins the factors of a method.

    Raises:
        InputError: there is one of this name already.
    """

    def add(join: Method) -> Method:
        if name in METHODS:
            raise InputError(f"method {name!r} is registered twice", remedy="rename one")
        METHODS[name] = join
        return join

    return add


def factors(held: Mapping[str, Stored], pattern: re.Pattern[str]) -> Factors:
    """Tensors whose names match, by their groups ``base`` and ``part``."""
    by_base: Factors = {}
    for name, stored in held.items():
        if match := pattern.fullmatch(name):
            by_base.setdefault(match["base"], {})[match["part"]] = stored
    return by_base


def resolve_adapters(checkpoint: Checkpoint, config: AdapterConfig) -> Checkpoint:
    """The checkpoint with the changes that adapters make in place of their factors."""
    left = {item.name: item for item in checkpoint.tensors}
    changes: list[Stored] = []
    skipped, missing = list(checkpoint.skipped), list(checkpoint.missing)
    onto: dict[str, Onto] = {}
    used = []
    for name, join in METHODS.items():
        for one in list(join(dict(left), config)):
            if not all(part in left for part in one.parts):
                continue
            used.append(name)
            if one.onto is not None:
                onto[one.name] = one.onto
            if one.change is None:
                missing.append(Skipped(one.name, one.reason))
            else:
                changes.append(one.change)
            for part in one.parts:
                del left[part]
                if part != one.name:
                    skipped.append(Skipped(part, f"a factor of {one.name!r} ({name})"))
    if not used:
        return checkpoint
    notes = list(checkpoint.notes)
    whole = [name for name, item in left.items() if "float" in item.dtype]
    if whole:
        some = ", ".join(whole[:3]) + (", …" if len(whole) > 3 else "")
        notes.append(f"{len(whole)} tensors are whole weights, not changes: {some}")
    return replace(
        checkpoint,
        format=f"{checkpoint.format}, adapter",
        tensors=(*left.values(), *changes),
        skipped=tuple(skipped),
        missing=tuple(missing),
        notes=tuple(notes),
        onto=onto,
    )
