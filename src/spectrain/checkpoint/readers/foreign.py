"""Files of other programs, and what comes in place of a file: what each is and what to do."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from spectrain.checkpoint.files import open_ordinary
from spectrain.core import InputError

AS_SAFETENSORS = "convert it: load it with that program and save the tensors as safetensors"


@dataclass(frozen=True, slots=True)
class Foreign:
    """What is not a checkpoint that is read here.

    Attributes:
        what: it is.
        remedy: what to do.
        recognises: from path and first bytes.
    """

    what: str
    remedy: str
    recognises: Callable[[Path, bytes], bool]


def _begins(*magic: bytes, at: int = 0) -> Callable[[Path, bytes], bool]:
    return lambda path, head: any(head[at : at + len(one)] == one for one in magic)


def _html(path: Path, head: bytes) -> bool:
    return head.lstrip()[:200].lower().startswith((b"<!doctype html", b"<html", b"<?xml"))


def _members(path: Path, head: bytes) -> Sequence[str]:
    if head[:2] != b"PK":
        return ()
    try:
        with open_ordinary(path) as file, zipfile.ZipFile(file) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return ()


def _npz(path: Path, head: bytes) -> bool:
    names = _members(path, head)
    return bool(names) and all(name.endswith(".npy") for name in names)


def _keras(path: Path, head: bytes) -> bool:
    return "model.weights.h5" in _members(path, head)


def _zipped(path: Path, head: bytes) -> bool:
    endings = (".safetensors", ".gguf", ".bin", ".pt", ".pth", ".ckpt")
    return any(name.endswith(endings) for name in _members(path, head))


def _onnx(path: Path, head: bytes) -> bool:
    return path.suffix == ".onnx" or (head[:1] == b"\x08" and b"pytorch" in head[:64])


def _json(path: Path, head: bytes) -> bool:
    return head.lstrip()[:1] in {b"{", b"["} and head.isascii() and b"\0" not in head


def _name(pattern: str) -> Callable[[Path, bytes], bool]:
    return lambda path, head: re.fullmatch(pattern, path.name) is not None


def _suffix(*suffixes: str) -> Callable[[Path, bytes], bool]:
    return lambda path, head: path.suffix in suffixes


FOREIGN: tuple[Foreign, ...] = (
    Foreign(
        "a pointer of Git LFS, not the weights themselves",
        "run git lfs pull in the repository, or fetch the file itself",
        _begins(b"version https://git-lfs"),
    ),
    Foreign(
        "a page of HTML or XML, as a server sends in place of a file",
        "fetch it again with a link to the file itself; it may ask for a login",
        _html,
    ),
    Foreign(
        "an npz archive of NumPy",
        "save its arrays as safetensors: safetensors.numpy.save_file(dict(numpy.load(path)), out)",
        _npz,
    ),
    Foreign(
        "an array of NumPy (npy)",
        "save it as safetensors: safetensors.numpy.save_file({'w': numpy.load(path)}, out)",
        _begins(b"\x93NUMPY"),
    ),
    Foreign(
        "an HDF5 file, as Keras and TensorFlow write them (.h5)",
        "load it with h5py or Keras and save the weights as safetensors",
        _begins(b"\x89HDF\r\n\x1a\n"),
    ),
    Foreign(
        "an archive of Keras 3",
        "load it with keras.saving.load_model and save the weights as safetensors",
        _keras,
    ),
    Foreign(
        "a model of ONNX",
        "export its initializers: onnx.numpy_helper.to_array of each, then save as safetensors",
        _onnx,
    ),
    Foreign(
        "msgpack of Flax",
        "load it with flax.serialization.msgpack_restore and save the arrays as safetensors",
        _suffix(".msgpack"),
    ),
    Foreign(
        "a model of Core ML",
        "take the checkpoint that it was converted from: its weights are reordered and compressed",
        _suffix(".mlmodel"),
    ),
    Foreign(
        "a checkpoint of TensorFlow",
        "read it with tensorflow.train.load_checkpoint and save the arrays as safetensors",
        _name(r".+\.(?:data-\d{5}-of-\d{5}|index|ckpt\.meta)"),
    ),
    Foreign(
        "parameters of MXNet",
        "load them with mxnet.nd.load and save the arrays as safetensors",
        _begins(b"\x12\x01\0\0\0\0\0\0"),
    ),
    Foreign(
        "a program for a device: its weights are reordered and fused",
        "take the checkpoint that it was compiled from",
        _suffix(".engine", ".plan", ".trt", ".pte", ".ptl", ".mnn", ".ncnn", ".hef", ".rknn"),
    ),
    Foreign(
        "a file of JSON, such as a configuration or a server's error",
        "fetch the file of the weights itself, or pass the folder or the .index.json",
        _json,
    ),
    Foreign("a model of TensorFlow Lite", AS_SAFETENSORS, _begins(b"TFL3", at=4)),
    Foreign(
        "an older format of llama.cpp",
        "convert it to GGUF with a current llama.cpp",
        _begins(b"lmgg", b"ggml", b"fmgg", b"tjgg", b"algg"),
    ),
    Foreign(
        "a compressed archive",
        "unpack it and pass what is inside",
        _begins(b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf", b"Rar!"),
    ),
    Foreign("a tar archive", "unpack it and pass what is inside", _begins(b"ustar", at=257)),
    Foreign("a zip archive of checkpoints", "unpack it and pass what is inside", _zipped),
)
"""In the order in which they are tried."""


def refuse_foreign(path: Path, head: bytes) -> None:
    """Say what a file is, where it is of a known format that is not read.

    Args:
        path: of the file.
        head: its first bytes.

    Raises:
        InputError: it is one of :data:`FOREIGN`.
    """
    for kind in FOREIGN:
        if kind.recognises(path, head):
            raise InputError(f"{str(path)!r} is {kind.what}", remedy=kind.remedy)


FOLDERS: dict[str, tuple[str, str]] = {
    "saved_model.pb": (
        "a SavedModel of TensorFlow",
        "load it with TensorFlow and save the variables as safetensors",
    ),
    "_CHECKPOINT_METADATA": (
        "a checkpoint of Orbax (JAX)",
        "restore it with orbax.checkpoint and save the arrays as safetensors",
    ),
    "_METADATA": (
        "a checkpoint of Orbax (JAX)",
        "restore it with orbax.checkpoint and save the arrays as safetensors",
    ),
    ".zgroup": ("a group of Zarr", "open it with zarr and save the arrays as safetensors"),
    "zarr.json": ("a group of Zarr", "open it with zarr and save the arrays as safetensors"),
    "Manifest.json": (
        "a package of Core ML",
        "take the checkpoint that it was converted from: its weights are reordered and compressed",
    ),
}
"""A file that only folders of other programs hold: what these are and what to do."""


def refuse_foreign_folder(folder: Path) -> None:
    """The same of a folder.

    Raises:
        InputError: it is one of :data:`FOLDERS`.
    """
    for mark, (what, remedy) in FOLDERS.items():
        if (folder / mark).exists():
            raise InputError(f"{str(folder)!r} is {what}", remedy=remedy)
    if (folder / "checkpoint").is_file() and any(folder.glob("*.index")):
        raise InputError(
            f"{str(folder)!r} is a checkpoint of TensorFlow",
            remedy="read it with tensorflow.train.load_checkpoint and save the arrays as "
            "safetensors",
        )
