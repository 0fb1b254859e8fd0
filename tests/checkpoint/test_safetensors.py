from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from spectrain.checkpoint import open_checkpoint
from spectrain.core import InputError
from support.sample_checkpoints import raw_safetensors, save_safetensors


def entry(first: int, last: int, dtype: str = "F32", shape: tuple[int, ...] = (2,)) -> Any:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [first, last]}


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ({"a": entry(0, 8), "b": entry(4, 12)}, "'b' overlaps 'a'"),
        ({"a": entry(0, 8, shape=(3,))}, "takes 8 bytes where its shape"),
        ({"a": entry(0, 800, shape=(200,))}, "behind the end"),
        ({"a": entry(0, 8, shape=(-2,))}, "does not tell dtype, shape and range of 'a'"),
        ({"a": {"dtype": "F32"}}, "does not tell"),
        ({"a": 3}, "does not tell"),
        ({"a": entry(0, 4)}, "takes 4 bytes"),
        ([1, 2], "no JSON object"),
        (b'{"a": 1', "is no JSON"),
        (b'{"a": {}, "a": {}}', "names 'a' twice"),
        (b"[" * 5000, "is no JSON"),
        ({"a": entry(0, 8, dtype="F99")}, "not valid safetensors"),
    ],
)
def test_a_bad_header_is_named(header: Any, problem: str, tmp_path: Path) -> None:
    path = raw_safetensors(tmp_path / "m.safetensors", header, bytes(12))
    with pytest.raises(InputError, match=problem):
        open_checkpoint(path)


@pytest.mark.parametrize("length", [0, 1 << 20, 1 << 62])
def test_a_wrong_header_length_is_named(length: int, tmp_path: Path) -> None:
    path = save_safetensors(tmp_path / "m.safetensors")
    path.write_bytes(length.to_bytes(8, "little") + path.read_bytes()[8:])
    with pytest.raises(InputError, match="header"):
        open_checkpoint(path)


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    path = save_safetensors(tmp_path / "m.safetensors")
    whole = path.read_bytes()
    for end in range(0, len(whole), 7):
        path.write_bytes(whole[:end])
        with pytest.raises(InputError):
            open_checkpoint(path)


def test_a_type_that_is_not_read_yet_is_missing(tmp_path: Path) -> None:
    header = {"a": entry(0, 1, "F4", (2,)), "b": entry(1, 9)}
    checkpoint = open_checkpoint(raw_safetensors(tmp_path / "m.safetensors", header, bytes(9)))
    assert [(skip.parameter, skip.reason) for skip in checkpoint.missing] == [
        ("a", "stored as F4, which is not read yet")
    ]
    assert [tensor.name for tensor in checkpoint.tensors] == ["b"]


def test_a_file_that_changes_is_not_read_on(tmp_path: Path) -> None:
    path = save_safetensors(tmp_path / "m.safetensors", {"w": torch.ones(64, 64)})
    (stored,) = open_checkpoint(path).tensors
    save_file({"w": torch.zeros(64, 64)}, path)
    with pytest.raises(InputError, match="changed while it was read"):
        stored.load()
    path.write_bytes(b"short")
    with pytest.raises(InputError, match="changed while it was read"):
        stored.load()
    path.unlink()
    with pytest.raises(InputError, match="No such file"):
        stored.load()
