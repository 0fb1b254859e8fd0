"""Pickles read as data: containers, numbers and tensors; everything else stands still.

A pickle names what it wants to have called. Here a name stays a name: nothing is imported and
nothing is called. What training programs keep beside their weights (options, paths, dates, scores,
objects of their own classes) becomes :class:`Fields`, which holds what the object was built from.
What would call a function of Python, torch or NumPy outside an allow-list is refused by name: such
a file was made to run code.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BufferedIOBase
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch

from spectrain.core import InputError

SAVE_PLAIN = "save model.state_dict() alone, or save as safetensors"

MAX_LINE = 1 << 20
"""The longest line of a pickle of protocol 0."""


MAX_COPIED = 1 << 24
"""Elements that containers may be made from, all together."""


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

    ``reason`` tells why it cannot be read, where that is so.
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


class InertUnpickler(pickle._Unpickler):
    """Reads a pickle without importing or calling anything; the one in C allocates as it is bidden.

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
        if module == "torch" and isinstance(found := _DTYPES.get(name), torch.dtype):
            return found
        return Name(str(module), str(name))

    def persistent_load(self, pid: Any) -> Any:
        if self._persistent is None:
            raise pickle.UnpicklingError("no persistent objects are expected")
        return self._persistent(pid)

    def apply(self, called: Any, arguments: Any) -> Any:
        """What stands for the result of a call."""
        if type(called) is not Name or type(arguments) is not tuple:
            raise pickle.UnpicklingError(f"{type(called).__name__} is nothing that can be called")
        if make := _MADE.get(called):
            return make(self, *arguments)
        if called not in _HARMLESS and called.module.partition(".")[0] in _ABLE:
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
        if (make := _MADE.get(kind)) and kind.module in {"collections", "builtins", "torch"}:
            return make(self, *arguments)
        if kind.module.partition(".")[0] in _PYTHON and kind not in _HARMLESS:
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
            _fill(target, state)
        elif isinstance(target, _Dtype) and isinstance(state, tuple) and len(state) > 1:
            target.order = str(state[1])

    def _items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        found = target.items if isinstance(target, Fields) else target
        if type(found) is not dict:
            raise pickle.UnpicklingError("items are set on what is no mapping")
        for at in range(0, len(items) - 1, 2):
            found[_key(items[at])] = items[at + 1]

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


@dataclass(eq=False, slots=True)
class _Dtype:
    """A NumPy dtype by its code."""

    code: str
    order: str = "="

    @property
    def name(self) -> str:
        return (self.order if self.order in "<>" else "") + self.code


def _key(key: Any) -> Any:
    """A key as something that can be hashed whatever it holds."""
    if isinstance(key, str | int | float | bytes | Fields | None):
        return key
    return str(key) if isinstance(key, Name) else f"{type(key).__name__} {id(key)}"


def _whole(values: Any) -> tuple[int, ...]:
    if not isinstance(values, tuple | list) or not all(
        type(value) is int and -(1 << 62) < value < 1 << 62 for value in values
    ):
        raise pickle.UnpicklingError("a shape is made of whole numbers")
    return tuple(values)


def _tensor(
    _: InertUnpickler,
    storage: Any,
    offset: Any,
    shape: Any,
    stride: Any,
    *more: Any,
) -> TensorRecord:
    if not isinstance(storage, Storage):
        return TensorRecord(None, reason="its numbers are not in the file")
    dtype = next((item for item in more if isinstance(item, torch.dtype)), storage.dtype)
    (begin,) = _whole((offset,))
    shape, stride = _whole(shape), _whole(stride)
    if len(shape) != len(stride) or min((begin, *shape, *stride)) < 0 or len(shape) > 64:
        raise pickle.UnpicklingError("a tensor has an impossible layout")
    return TensorRecord(storage, dtype, begin, shape, stride)


def _first(_: InertUnpickler, data: Any = None, *__: Any) -> Any:
    return data


def _subclass(reader: InertUnpickler, make: Any = None, kind: Any = None, *more: Any) -> Any:
    arguments = more[0] if more and isinstance(more[0], tuple) else ()
    made = reader.apply(make, arguments) if type(make) is Name else None
    if isinstance(made, TensorRecord) and made.reason is None:
        return made
    reason = made.reason if isinstance(made, TensorRecord) else "which is not read yet"
    return TensorRecord(None, reason=f"a tensor of class {kind}: {reason}")


def _unread(what: str) -> Callable[..., TensorRecord]:
    def make(_: InertUnpickler, *__: Any) -> TensorRecord:
        return TensorRecord(None, reason=f"{what}, which is not read yet")

    return make


def _mapping(reader: InertUnpickler, *arguments: Any) -> Any:
    found: dict[Any, Any] = {}
    for argument in arguments:
        if isinstance(argument, dict | list | tuple):
            reader.copies(len(argument))
        if type(argument) is dict:
            found |= argument
        elif isinstance(argument, list | tuple):
            pairs = [pair for pair in argument if isinstance(pair, list | tuple) and len(pair) == 2]
            found |= {_key(key): value for key, value in pairs}
    return found


def _list(reader: InertUnpickler, *arguments: Any) -> list[Any]:
    items = arguments[0] if arguments else ()
    if not isinstance(items, list | tuple | dict):
        return []
    reader.copies(len(items))
    return list(items)


def _size(reader: InertUnpickler, *arguments: Any) -> tuple[Any, ...]:
    items = arguments[0] if arguments else ()
    if not isinstance(items, list | tuple):
        return ()
    reader.copies(len(items))
    return tuple(items)


def _encode(reader: InertUnpickler, text: Any = "", how: Any = "latin1") -> bytes:
    if not isinstance(text, str) or how not in {"latin1", "latin-1"}:
        raise pickle.UnpicklingError("a text is encoded in an unknown way")
    reader.copies(len(text) >> 6)
    return text.encode("latin1")


def _object(reader: InertUnpickler, kind: Any = None, *_: Any) -> Any:
    return reader.instance(kind, ())


def _empty_array(_: InertUnpickler, *__: Any) -> ArrayRecord:
    return ArrayRecord()


def _dtype(_: InertUnpickler, code: Any = "", *__: Any) -> _Dtype:
    return _Dtype(str(code))


def _scalar(_: InertUnpickler, kind: Any = None, data: Any = b"", *__: Any) -> Any:
    if isinstance(kind, _Dtype) and isinstance(data, bytes):
        array = ArrayRecord((), kind.name, False, data).array()
        if array is not None:
            return array.item()
    return Fields(Name("numpy", "scalar"))


def _from_buffer(
    _: InertUnpickler, data: Any = b"", kind: Any = None, shape: Any = (), order: Any = "C"
) -> ArrayRecord:
    if not isinstance(data, bytes | bytearray) or not isinstance(kind, _Dtype):
        return ArrayRecord()
    return ArrayRecord(_whole(shape), kind.name, order == "F", bytes(data))


def _fill(target: ArrayRecord, state: Any) -> None:
    match state:
        case (_, shape, _Dtype() as kind, fortran, bytes() as data):
            target.shape, target.dtype = _whole(shape), kind.name
            target.fortran, target.data = bool(fortran), data


def _byte_array(_: InertUnpickler, *arguments: Any) -> bytes:
    return bytes(arguments[0]) if arguments and isinstance(arguments[0], bytes) else b""


def _names(table: dict[str, str]) -> set[Name]:
    return {Name(module, name) for module, names in table.items() for name in names.split()}


_NUMBERS = frozenset(["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"])
_DTYPES = {name: getattr(torch, name) for name in dir(torch)}
_DTYPES = {name: found for name, found in _DTYPES.items() if isinstance(found, torch.dtype)}

_MADE: dict[Name, Callable[..., Any]] = {
    Name("torch._utils", "_rebuild_tensor"): _tensor,
    Name("torch._utils", "_rebuild_tensor_v2"): _tensor,
    Name("torch._utils", "_rebuild_tensor_v3"): _tensor,
    Name("torch._utils", "_rebuild_parameter"): _first,
    Name("torch._utils", "_rebuild_parameter_with_state"): _first,
    Name("torch._utils", "_rebuild_sparse_tensor"): _unread("a sparse tensor"),
    Name("torch._utils", "_rebuild_sparse_csr_tensor"): _unread("a sparse tensor"),
    Name("torch._utils", "_rebuild_qtensor"): _unread("a tensor of torch's own quantization"),
    Name("torch._utils", "_rebuild_nested_tensor"): _unread("a nested tensor"),
    Name("torch._utils", "_rebuild_wrapper_subclass"): _unread("a wrapped or sharded tensor"),
    Name("torch._utils", "_rebuild_meta_tensor_no_storage"): _unread("a tensor without numbers"),
    Name("torch._utils", "_rebuild_device_tensor_from_numpy"): _first,
    Name("torch._utils", "_rebuild_device_tensor_from_cpu_tensor"): _first,
    Name("torch._tensor", "_rebuild_from_type_v2"): _subclass,
    Name("torch._tensor", "_rebuild_from_type"): _subclass,
    Name("torch.storage", "_load_from_bytes"): _unread("a tensor inside another pickle"),
    Name("torch", "Size"): _size,
    Name("collections", "OrderedDict"): _mapping,
    Name("collections", "defaultdict"): _mapping,
    Name("collections", "Counter"): _mapping,
    Name("collections", "deque"): _list,
    Name("builtins", "dict"): _mapping,
    Name("builtins", "list"): _list,
    Name("builtins", "set"): _list,
    Name("builtins", "frozenset"): _list,
    Name("builtins", "tuple"): _size,
    Name("builtins", "bytearray"): _byte_array,
    Name("builtins", "bytes"): _byte_array,
    Name("_codecs", "encode"): _encode,
    Name("copyreg", "_reconstructor"): _object,
    Name("copyreg", "__newobj__"): _object,
    Name("numpy", "dtype"): _dtype,
    **{
        Name(module, name): make
        for core in ("core", "_core")
        for module, name, make in (
            (f"numpy.{core}.multiarray", "_reconstruct", _empty_array),
            (f"numpy.{core}.multiarray", "scalar", _scalar),
            (f"numpy.{core}.numeric", "_frombuffer", _from_buffer),
        )
    },
}
_MADE |= {
    Name(older, name.name): make
    for older, newer in (("__builtin__", "builtins"), ("copy_reg", "copyreg"))
    for name, make in list(_MADE.items())
    if name.module == newer
}

_HARMLESS = _names(
    {
        "argparse": "Namespace",
        "types": "SimpleNamespace",
        "pathlib": "Path PosixPath WindowsPath PurePath PurePosixPath PureWindowsPath",
        "pathlib._local": "Path PosixPath WindowsPath PurePath PurePosixPath PureWindowsPath",
        "datetime": "datetime date time timedelta timezone",
        "decimal": "Decimal",
        "fractions": "Fraction",
        "uuid": "UUID",
        "re": "_compile",
        "functools": "partial",
        "builtins": "int float str bool complex slice range object",
        "__builtin__": "int float str bool complex slice range object long unicode",
        "torch": "device Generator memory_format layout",
        "torch._utils": "_get_layout",
        "torch.serialization": "_get_layout",
        "torch.distributed.checkpoint.metadata": "_MEM_FORMAT_ENCODING TensorProperties "
        "Metadata TensorStorageMetadata BytesStorageMetadata ChunkStorageMetadata MetadataIndex "
        "StorageMeta",
        "torch.distributed.checkpoint.filesystem": "_StorageInfo",
        "numpy": "ndarray float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 "
        "uint64 bool_ bool",
        "numpy.random": "RandomState Generator",
        "numpy.random._pickle": "__randomstate_ctor __generator_ctor __bit_generator_ctor",
    }
)
"""Of Python's, torch's and NumPy's own things those whose call, taken as data, is harmless."""

_PYTHON = frozenset({*sys.stdlib_module_names, "__builtin__", "copy_reg", "commands"})
_ABLE = _PYTHON | {"torch", "torchvision", "numpy", "scipy", "pip", "setuptools", "pkg_resources"}
"""Packages on any machine that trains, whose functions can do harm."""
