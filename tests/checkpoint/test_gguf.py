from __future__ import annotations

import builtins
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spectrain.checkpoint import open_checkpoint
from spectrain.core import InputError
from support.sample_checkpoints import save_gguf

gguf = pytest.importorskip("gguf")


def test_agrees_with_the_package(tmp_path: Path) -> None:
    path = save_gguf(tmp_path / "m.gguf")
    found = {tensor.name: tensor for tensor in open_checkpoint(path).tensors}
    expected = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    assert found.keys() == expected.keys()
    for name, there in expected.items():
        dense = gguf.quants.dequantize(there.data, there.tensor_type)
        assert np.array_equal(found[name].load().numpy(), dense.reshape(found[name].shape))
    assert found["blk.0.ffn_up.weight"].note is None
    assert found["blk.0.ffn_down.weight"].note == "dequantized from Q8_0"
    assert found["blk.0.ffn_down.weight"].dtype == "Q8_0"


@pytest.mark.parametrize("value", [2**63 - 1, 2**40, 10**8])
@pytest.mark.parametrize("field", ["tensors", "pairs", "array"])
def test_absurd_lengths_end_at_once(field: str, value: int, tmp_path: Path) -> None:
    path = save_gguf(tmp_path / "m.gguf")
    data = bytearray(path.read_bytes())
    at = {"tensors": 8, "pairs": 16, "array": data.index(b"numbers") + 7 + 4 + 4}[field]
    data[at : at + 8] = struct.pack("<Q", value)
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"m\.gguf"):
        open_checkpoint(path)


def test_every_truncation_is_told(tmp_path: Path) -> None:
    path = save_gguf(tmp_path / "m.gguf")
    whole = path.read_bytes()
    for end in range(0, len(whole) - 32, 11):  # the last bytes are padding
        path.write_bytes(whole[:end])
        try:
            checkpoint = open_checkpoint(path)
        except InputError:
            continue
        assert checkpoint.missing, end


def test_without_the_package_the_remedy_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_gguf(tmp_path / "m.gguf")
    real = builtins.__import__

    def absent(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("gguf"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(InputError, match=r"pip install 'spectrain\[gguf\]'"):
        open_checkpoint(path)
