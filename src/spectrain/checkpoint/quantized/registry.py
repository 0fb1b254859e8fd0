"""Quantization formats, each registered by the file that decodes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from torch import Tensor

from spectrain.checkpoint.stored import Checkpoint, Stored
from spectrain.core import InputError, Skipped


@dataclass(frozen=True, slots=True)
class Claim:
    """A quantized weight and the tensors that it is made of.

    Attributes:
        weight: how it is read; ``None`` where it cannot be.
        parts: names of all tensors that belong to it, its own first.
        reason: why it cannot be read.
        missing: name of what is missing; the first part if not given.
    """

    weight: Stored | None
    parts: tuple[str, ...]
    reason: str = ""
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """The tensors of a checkpoint that no format has claimed yet, and what its config says.

    Attributes:
        tensors: by name.
        config: of ``config.json``; empty where there is none.
    """

    tensors: Mapping[str, Stored]
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def method(self) -> Mapping[str, Any]:
        """What the config says of the quantization."""
        settings = self.config.get("quantization_config") or self.config.get("quantization")
        return settings if isinstance(settings, Mapping) else {}

    def modules(self, local: str) -> Iterator[tuple[str, dict[str, Stored]]]:
        """Modules with a tensor of this local name: the path, and all its tensors by local name."""
        inside: dict[str, dict[str, Stored]] = {}
        for name, stored in self.tensors.items():
            path, _, own = name.rpartition(".")
            inside.setdefault(path, {})[own] = stored
        for path, own_tensors in inside.items():
            if local in own_tensors:
                yield path, own_tensors

    def number(self, *keys: str) -> int | None:
        """The first of these that the config gives as a whole number."""
        for key in keys:
            value = self.method.get(key)
            if isinstance(value, int) and not isinstance(value, bool):
                return value
        return None


Decoder = Callable[[Held], Iterable[Claim]]

DECODERS: dict[str, Decoder] = {}
"""By name; each claims tensors that those before it have left."""


def decoder(name: str) -> Callable[[Decoder], Decoder]:
    """Decorator: register what finds the weights of a format.

    Raises:
        InputError: there is one of this name already.
    """

    def add(find: Decoder) -> Decoder:
        if name in DECODERS:
            raise InputError(f"decoder {name!r} is registered twice", remedy="rename one")
        DECODERS[name] = find
        return find

    return add


def resolve_quantized(checkpoint: Checkpoint, config: Mapping[str, Any]) -> Checkpoint:
    """The checkpoint with quantized weights decoded; those that cannot be are missing.

    Args:
        checkpoint: as it was read.
        config: of ``config.json``.
    """
    left = {item.name: item for item in checkpoint.tensors}
    order = {name: number for number, name in enumerate(left)}
    kept: list[tuple[int, Stored]] = []
    skipped, missing = list(checkpoint.skipped), list(checkpoint.missing)
    for name, find in DECODERS.items():
        for claim in list(find(Held(dict(left), config))):
            own, *beside = claim.parts
            if not all(part in left for part in claim.parts):
                continue
            if claim.weight is None:
                missing.append(Skipped(claim.missing or own, claim.reason))
                skipped.extend(Skipped(part, "part of a quantized matrix") for part in beside)
            else:
                kept.append((order[own], claim.weight))
                others = claim.parts if claim.weight.name != own else beside
                skipped.extend(
                    Skipped(part, f"part of a matrix quantized as {name}") for part in others
                )
            for part in claim.parts:
                del left[part]
    kept += [(order[name], item) for name, item in left.items()]
    return replace(
        checkpoint,
        tensors=tuple(item for _, item in sorted(kept, key=lambda pair: pair[0])),
        skipped=tuple(skipped),
        missing=tuple(missing),
    )


def small_integers(stored: Stored | None) -> list[int]:
    """The one or two small whole numbers that a tensor beside a weight holds; else none.

    Args:
        stored: such as ``shape`` or ``nbits``; there may be none.
    """
    if stored is None or "int" not in stored.dtype or stored.shape not in {(), (1,), (2,)}:
        return []
    try:
        value = stored.load()
    except InputError:
        return []
    return [int(number) for number in value.reshape(-1)] if isinstance(value, Tensor) else []


def decoded(
    name: str,
    shape: Sequence[int],
    parts: Mapping[str, Stored],
    decode: Callable[..., Tensor],
    note: str,
    how: Mapping[str, Any] | None = None,
) -> Stored:
    """A weight that is read by reading its parts and decoding them.

    Args:
        name: of the weight.
        shape: of the decoded matrix.
        parts: tensors by the names of ``decode``'s arguments.
        decode: makes the matrix.
        note: what qualifies the numbers.
        how: further arguments of ``decode``.
    """
    load = partial(_decode, dict(parts), tuple(shape), decode, how or {})
    dtype = next(iter(parts.values())).dtype
    return Stored(name, tuple(shape), dtype, load, note)


def _decode(
    parts: Mapping[str, Stored],
    shape: tuple[int, ...],
    decode: Callable[..., Tensor],
    how: Mapping[str, Any],
) -> Tensor:
    tensors = {key: stored.load() for key, stored in parts.items()}
    matrix = decode(**tensors, **how)
    if tuple(matrix.shape) != shape:
        raise InputError(
            f"decoded, it is {tuple(matrix.shape)} and not {shape}", remedy="dequantize it first"
        )
    return matrix
