"""What stands for the objects of a pickle: names, fields, storages, tensors and arrays."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch

_NUMBERS = frozenset(["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"])


class Name(NamedTuple):
    """A class or function that a pickle speaks of."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False, slots=True)
class Fields:
    """Stands for an object: what it was made from and its attributes; it runs nothing.

    Attributes:
        kind: name of its class.
        arguments: that it was made from.
        state: its attributes, or whatever else its state was.
        items: what was set under keys, where it is a mapping of its own kind.
    """

    kind: Name
    arguments: tuple[Any, ...] = ()
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)

    def get(self, key: str) -> Any:
        """An attribute, or ``None``."""
        return self.state.get(key) if isinstance(self.state, dict) else None


@dataclass(eq=False, slots=True)
class Storage:
    """The numbers that several tensors may share, by their key in the file."""

    key: str
    dtype: torch.dtype
    count: int
    start: int = 0


@dataclass(eq=False, slots=True)
class TensorRecord:
    """A tensor as the pickle describes it; offset and strides count elements.

    ``reason`` says why it cannot be read, where that is so.
    """

    storage: Storage | None
    dtype: torch.dtype | None = None
    offset: int = 0
    shape: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    reason: str | None = None


@dataclass(eq=False, slots=True)
class ArrayRecord:
    """A NumPy array, whose numbers lie in the pickle itself."""

    shape: tuple[int, ...] = ()
    dtype: str = ""
    fortran: bool = False
    data: bytes = field(default=b"", repr=False)

    def array(self) -> Any:
        """The NumPy array where it is one of plain numbers, else ``None``."""
        if self.dtype.lstrip("<>|=") not in _NUMBERS:
            return None
        try:
            flat = np.frombuffer(self.data, dtype=self.dtype)
            return flat.reshape(self.shape, order="F" if self.fortran else "C")
        except (ValueError, TypeError):
            return None


@dataclass(eq=False, slots=True)
class Dtype:
    """A NumPy dtype by its code."""

    code: str
    order: str = "="

    @property
    def name(self) -> str:
        return (self.order if self.order in "<>" else "") + self.code


def filled(target: ArrayRecord, state: Any) -> None:
    match state:
        case (_, shape, Dtype() as kind, fortran, bytes() as data):
            target.shape, target.dtype = whole(shape), kind.name
            target.fortran, target.data = bool(fortran), data


def as_key(key: Any) -> Any:
    """A key as something that can be hashed whatever it holds."""
    if isinstance(key, str | int | float | bytes | Fields | None):
        return key
    return str(key) if isinstance(key, Name) else f"{type(key).__name__} {id(key)}"


def whole(values: Any) -> tuple[int, ...]:
    if not isinstance(values, tuple | list) or not all(
        type(value) is int and -(1 << 62) < value < 1 << 62 for value in values
    ):
        raise pickle.UnpicklingError("a shape is made of whole numbers")
    return tuple(values)
