"""What stands for the result of a call: by the name of what a pickle wants to have called."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from typing import Any, Protocol

import torch

from spectrain.checkpoint.readers.inert.stand_ins import (
    ArrayRecord,
    Dtype,
    Fields,
    Name,
    Storage,
    TensorRecord,
    as_key,
    whole,
)


class Reader(Protocol):
    """What a stand-in may ask of the unpickler."""

    def apply(self, called: Any, arguments: Any) -> Any:
        """What stands for the result of a call."""

    def instance(self, kind: Any, arguments: Any) -> Any:
        """What stands for a new object of a class."""

    def copies(self, count: int) -> None:
        """Account for copied elements."""


def _tensor(
    _: Reader,
    storage: Any,
    offset: Any,
    shape: Any,
    stride: Any,
    *more: Any,
) -> TensorRecord:
    if not isinstance(storage, Storage):
        return TensorRecord(None, reason="its numbers are not in the file")
    dtype = next((item for item in more if isinstance(item, torch.dtype)), storage.dtype)
    (begin,) = whole((offset,))
    shape, stride = whole(shape), whole(stride)
    if len(shape) != len(stride) or min((begin, *shape, *stride)) < 0 or len(shape) > 64:
        raise pickle.UnpicklingError("a tensor has an impossible layout")
    return TensorRecord(storage, dtype, begin, shape, stride)


def _first(_: Reader, data: Any = None, *__: Any) -> Any:
    return data


def _subclass(reader: Reader, make: Any = None, kind: Any = None, *more: Any) -> Any:
    arguments = more[0] if more and isinstance(more[0], tuple) else ()
    made = reader.apply(make, arguments) if type(make) is Name else None
    if isinstance(made, TensorRecord) and made.reason is None:
        return made
    reason = made.reason if isinstance(made, TensorRecord) else "which is not read yet"
    return TensorRecord(None, reason=f"a tensor of class {kind}: {reason}")


def _unread(what: str) -> Callable[..., TensorRecord]:
    def make(_: Reader, *__: Any) -> TensorRecord:
        return TensorRecord(None, reason=f"{what}, which is not read yet")

    return make


def _mapping(reader: Reader, *arguments: Any) -> Any:
    mapping: dict[Any, Any] = {}
    for argument in arguments:
        if isinstance(argument, dict | list | tuple):
            reader.copies(len(argument))
        if type(argument) is dict:
            mapping |= argument
        elif isinstance(argument, list | tuple):
            pairs = [pair for pair in argument if isinstance(pair, list | tuple) and len(pair) == 2]
            mapping |= {as_key(key): value for key, value in pairs}
    return mapping


def _list(reader: Reader, *arguments: Any) -> list[Any]:
    items = arguments[0] if arguments else ()
    if not isinstance(items, list | tuple | dict):
        return []
    reader.copies(len(items))
    return list(items)


def _size(reader: Reader, *arguments: Any) -> tuple[Any, ...]:
    items = arguments[0] if arguments else ()
    if not isinstance(items, list | tuple):
        return ()
    reader.copies(len(items))
    return tuple(items)


def _encode(reader: Reader, text: Any = "", how: Any = "latin1") -> bytes:
    if not isinstance(text, str) or how not in {"latin1", "latin-1"}:
        raise pickle.UnpicklingError("a text is encoded in an unknown way")
    reader.copies(len(text) >> 6)
    return text.encode("latin1")


def _object(reader: Reader, kind: Any = None, *_: Any) -> Any:
    return reader.instance(kind, ())


def _empty_array(_: Reader, *__: Any) -> ArrayRecord:
    return ArrayRecord()


def _dtype(_: Reader, code: Any = "", *__: Any) -> Dtype:
    return Dtype(str(code))


def _scalar(_: Reader, kind: Any = None, data: Any = b"", *__: Any) -> Any:
    if isinstance(kind, Dtype) and isinstance(data, bytes):
        array = ArrayRecord((), kind.name, False, data).array()
        if array is not None:
            return array.item()
    return Fields(Name("numpy", "scalar"))


def _from_buffer(
    _: Reader, data: Any = b"", kind: Any = None, shape: Any = (), order: Any = "C"
) -> ArrayRecord:
    if not isinstance(data, bytes | bytearray) or not isinstance(kind, Dtype):
        return ArrayRecord()
    return ArrayRecord(whole(shape), kind.name, order == "F", bytes(data))


def _byte_array(_: Reader, *arguments: Any) -> bytes:
    return bytes(arguments[0]) if arguments and isinstance(arguments[0], bytes) else b""


def _names(table: dict[str, str]) -> set[Name]:
    return {Name(module, name) for module, names in table.items() for name in names.split()}


MADE: dict[Name, Callable[..., Any]] = {
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
MADE |= {
    Name(older, name.name): make
    for older, newer in (("__builtin__", "builtins"), ("copy_reg", "copyreg"))
    for name, make in list(MADE.items())
    if name.module == newer
}

HARMLESS = _names(
    {
        "argparse": "Namespace",
        "pathlib": "Path PosixPath WindowsPath PurePath PurePosixPath PureWindowsPath",
        "pathlib._local": "Path PosixPath WindowsPath PurePath PurePosixPath PureWindowsPath",
        "datetime": "datetime date time timedelta timezone",
        "decimal": "Decimal",
        "fractions": "Fraction",
        "uuid": "UUID",
        "re": "_compile",
        "functools": "partial",
        "collections": "ChainMap UserDict UserList UserString",
        "random": "Random",
        "ipaddress": "IPv4Address IPv6Address IPv4Network IPv6Network",
        "http": "HTTPStatus",
        "types": "SimpleNamespace GenericAlias",
        "builtins": "int float str bool complex slice range object",
        "__builtin__": "int float str bool complex slice range xrange object long unicode",
        "torch": "device Generator memory_format layout",
        "torch._utils": "_get_layout",
        "torch.serialization": "_get_layout",
        "torch.distributed.checkpoint.metadata": "_MEM_FORMAT_ENCODING TensorProperties "
        "Metadata TensorStorageMetadata BytesStorageMetadata ChunkStorageMetadata MetadataIndex "
        "StorageMeta",
        "torch.distributed.checkpoint.filesystem": "_StorageInfo",
        "torch.distributed.fsdp.api": "ShardingStrategy BackwardPrefetch StateDictType "
        "MixedPrecision CPUOffload",
        "numpy": "ndarray float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 "
        "uint64 bool_ bool datetime64 timedelta64",
        "numpy.random": "RandomState Generator SeedSequence",
        "numpy.random.bit_generator": "__pyx_unpickle_SeedSequence SeedSequence",
        "numpy.random._pickle": "__randomstate_ctor __generator_ctor __bit_generator_ctor",
    }
)
"""Of Python's, torch's and NumPy's own things those whose call, taken as data, is harmless."""

PYTHON = frozenset({*sys.stdlib_module_names, "__builtin__", "copy_reg", "commands"})
ABLE = PYTHON | {"torch", "torchvision", "numpy", "scipy", "pip", "setuptools", "pkg_resources"}
"""Packages on any machine that trains, whose functions can do harm."""
