from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from spectrain.checkpoint import open_checkpoint
from spectrain.core import InputError
from support.sample_checkpoints import save_safetensors, save_sharded, weights

INDEX = "model.safetensors.index.json"


def rewrite(folder: Path, places: object) -> Path:
    (folder / INDEX).write_text(json.dumps({"weight_map": places}))
    return folder


@pytest.mark.parametrize(
    "file",
    ["../x.safetensors", "/etc/passwd", "a/../../x", "..", "C:\\x", "a\nb", "", "..\\x", 3],
)
def test_an_index_stays_inside_its_folder(file: object, tmp_path: Path) -> None:
    save_safetensors(tmp_path / "x.safetensors")
    folder = rewrite(save_sharded(tmp_path / "s"), {"w": file})
    with pytest.raises(InputError, match="outside its folder"):
        open_checkpoint(folder)


def test_a_lost_shard_costs_only_its_tensors(tmp_path: Path) -> None:
    folder = save_sharded(tmp_path / "s")
    (folder / "model-00002-of-00002.safetensors").unlink()
    checkpoint = open_checkpoint(folder)
    names = list(weights())
    assert [tensor.name for tensor in checkpoint.tensors] == names[:2]
    assert sorted(skip.parameter for skip in checkpoint.missing) == sorted(names[2:])


def test_a_tensor_that_its_shard_lacks_is_missing(tmp_path: Path) -> None:
    folder = save_sharded(tmp_path / "s")
    index = json.loads((folder / INDEX).read_text())
    rewrite(folder, {**index["weight_map"], "ghost": "model-00001-of-00002.safetensors"})
    (missing,) = open_checkpoint(folder).missing
    assert missing.parameter == "ghost"
    assert "lacks it" in missing.reason


def test_a_tensor_in_two_shards_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    for name in ("a.safetensors", "b.safetensors"):
        save_safetensors(folder / name, {"w": torch.ones(2, 2)})
    rewrite(folder, {"w": "a.safetensors", "v": "b.safetensors"})
    with pytest.raises(InputError, match="'w' is both in"):
        open_checkpoint(folder)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"weight_map": {}}', '{"weight_map": 3}', "{" * 9]
)
def test_a_damaged_index_is_refused(text: str, tmp_path: Path) -> None:
    folder = save_sharded(tmp_path / "s")
    (folder / INDEX).write_text(text)
    with pytest.raises(InputError, match="the index"):
        open_checkpoint(folder)


def test_an_index_of_an_index_is_refused(tmp_path: Path) -> None:
    folder = save_sharded(tmp_path / "s")
    rewrite(folder, {"w": INDEX})
    with pytest.raises(InputError, match="no shard"):
        open_checkpoint(folder)
