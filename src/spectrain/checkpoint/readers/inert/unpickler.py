"""The unpickler that imports nothing and calls nothing."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from io import BufferedIOBase
from typing import Any, ClassVar

import torch

from spectrain.checkpoint.readers.inert.calls import ABLE, HARMLESS, MADE, PYTHON
from spectrain.checkpoint.readers.inert.stand_ins import (
    ArrayRecord,
    Dtype,
    Fields,
    Name,
    Storage,
    as_key,
    filled,
)
from spectrain.core import InputError

SAVE_PLAIN = "save model.state_dict() alone, or save as safetensors"

MAX_LINE = 1 << 20
"""The longest line of a pickle of protocol 0."""

MAX_COPIED = 1 << 24
"""Elements that containers may be made from, all together."""

_DTYPES = {name: getattr(torch, name) for name in dir(torch)}
_DTYPES = {name: value for name, value in _DTYPES.items() if isinstance(value, torch.dtype)}


class InertUnpickler(pickle._Unpickler):
    """Reads a pickle without importing or calling anything; that in C allocates all it is asked to.

    Args:
        file: holds the pickle.
        what: names it in errors.
        persistent: turns what torch calls persistent ids into storages.

    Raises:
        InputError: from :meth:`load`, where it asks to run code.
    """

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)  # a copy
    stack: list[Any]
    append: Callable[[Any], None]
    pop_mark: Callable[[], list[Any]]
    read: Callable[[int], bytes]
    readline: Callable[[], bytes]

    def __init__(
        self, file: BufferedIOBase, what: str, persistent: Callable[[Any], Storage] | None = None
    ) -> None:
        super().__init__(_Bounded(file))
        self._what, self._persistent, self._copied = what, persistent, 0

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and isinstance(dtype := _DTYPES.get(name), torch.dtype):
            return dtype
        return Name(str(module), str(name))

    def persistent_load(self, pid: Any) -> Any:
        if self._persistent is None:
            raise pickle.UnpicklingError("no persistent objects are expected")
        return self._persistent(pid)

    def apply(self, called: Any, arguments: Any) -> Any:
        """What stands for the result of a call."""
        if type(called) is not Name or type(arguments) is not tuple:
            raise pickle.UnpicklingError(f"{type(called).__name__} is nothing that can be called")
        if make := MADE.get(called):
            return make(self, *arguments)
        if called not in HARMLESS and called.module.partition(".")[0] in ABLE:
            raise InputError(
                f"{self._what} asks to run {called} when it is loaded: refused", remedy=SAVE_PLAIN
            )
        return Fields(called, arguments)

    def copies(self, count: int) -> None:
        """Account for copied elements: a short pickle can ask for the same copy again and again.

        Raises:
            UnpicklingError: there are more than any checkpoint needs.
        """
        self._copied += count
        if self._copied > MAX_COPIED:
            raise pickle.UnpicklingError("it copies the same containers again and again")

    def instance(self, kind: Any, arguments: Any) -> Any:
        """What stands for a new object of a class, made without a call of its own."""
        if type(kind) is not Name or type(arguments) is not tuple:
            raise pickle.UnpicklingError(f"{type(kind).__name__} is no class")
        if (make := MADE.get(kind)) and kind.module in {"collections", "builtins", "torch"}:
            return make(self, *arguments)
        if kind.module.partition(".")[0] in PYTHON and kind not in HARMLESS:
            return self.apply(kind, arguments)
        return Fields(kind, arguments)

    def _reduce(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = self.apply(self.stack[-1], arguments)

    def _new(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = self.instance(self.stack[-1], arguments)

    def _new_with_keywords(self) -> None:
        self.stack.pop()
        self._new()

    def _old_instance(self) -> None:
        module = self.readline()[:-1].decode("ascii")
        name = self.readline()[:-1].decode("ascii")
        arguments = tuple(self.pop_mark())
        self.append(self.apply(self.find_class(module, name), arguments))

    def _old_object(self) -> None:
        called, *arguments = self.pop_mark()
        self.append(self.apply(called, tuple(arguments)))

    def _build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, Fields):
            if isinstance(state, tuple) and len(state) == 2 and isinstance(state[1], dict):
                state = {**(state[0] if isinstance(state[0], dict) else {}), **state[1]}
            target.state = state
        elif isinstance(target, ArrayRecord):
            filled(target, state)
        elif isinstance(target, Dtype) and isinstance(state, tuple) and len(state) > 1:
            target.order = str(state[1])

    def _items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        mapping = target.items if isinstance(target, Fields) else target
        if type(mapping) is not dict:
            raise pickle.UnpicklingError("items are set on what is no mapping")
        for at in range(0, len(items) - 1, 2):
            mapping[as_key(items[at])] = items[at + 1]

    def _entries(self, entries: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is list:
            target.extend(entries)
        elif not isinstance(target, Fields):
            raise pickle.UnpicklingError("entries are added to what is no list")

    def _set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._items([key, value])

    def _set_items(self) -> None:
        self._items(self.pop_mark())

    def _add_entry(self) -> None:
        self._entries([self.stack.pop()])

    def _add_entries(self) -> None:
        self._entries(self.pop_mark())

    def _dictionary(self) -> None:
        items = self.pop_mark()
        self.append({})
        self._items(items)

    def _set(self) -> None:
        self.append([])

    def _frozen(self) -> None:
        self.append(self.pop_mark())

    def _bytes(self) -> None:
        self.append(self.read(int.from_bytes(self.read(8), "little")))

    def _refused(self) -> None:
        raise pickle.UnpicklingError("an instruction that no checkpoint needs")

    for _code, _does in {
        pickle.REDUCE: _reduce,
        pickle.NEWOBJ: _new,
        pickle.NEWOBJ_EX: _new_with_keywords,
        pickle.INST: _old_instance,
        pickle.OBJ: _old_object,
        pickle.BUILD: _build,
        pickle.SETITEM: _set_item,
        pickle.SETITEMS: _set_items,
        pickle.APPEND: _add_entry,
        pickle.APPENDS: _add_entries,
        pickle.ADDITEMS: _add_entries,
        pickle.DICT: _dictionary,
        pickle.EMPTY_SET: _set,
        pickle.FROZENSET: _frozen,
        pickle.BYTEARRAY8: _bytes,
        pickle.EXT1: _refused,
        pickle.EXT2: _refused,
        pickle.EXT4: _refused,
    }.items():
        dispatch[_code[0]] = _does
    del _code, _does


class _Bounded:
    """A file whose lines have a bounded length, and which says where it ends."""

    def __init__(self, file: BufferedIOBase) -> None:
        self._file = file

    def read(self, count: int) -> bytes:
        if count > 1 << 16:  # what a damaged length asks for may be far more than there is
            here = self._file.tell()
            left = self._file.seek(0, 2) - here
            self._file.seek(here)
            if count > left:
                raise EOFError("it ends in the middle of a value")
        parts, lacking = [], count
        while lacking > 0 and (part := self._file.read(lacking)):
            parts.append(part)
            lacking -= len(part)
        return b"".join(parts)

    def readline(self) -> bytes:
        line = self._file.readline(MAX_LINE)
        if len(line) == MAX_LINE:
            raise pickle.UnpicklingError("a line is too long")
        return line
