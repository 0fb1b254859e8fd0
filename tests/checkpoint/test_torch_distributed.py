from __future__ import annotations

import pickle
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributed.checkpoint.filesystem import _StorageInfo
from torch.distributed.checkpoint.metadata import (
    ChunkStorageMetadata,
    Metadata,
    MetadataIndex,
    TensorProperties,
    TensorStorageMetadata,
)

from spectrain.checkpoint import open_checkpoint
from spectrain.core import InputError
from support.sample_checkpoints import Malicious, dense, save_distributed, weights


def save_chunks(
    folder: Path, whole: Tensor, starts: list[int], *, file: str = "part", lie: int = 0
) -> Path:
    """A row-sharded tensor as several ranks leave it."""
    folder.mkdir()
    ends = [*starts[1:], len(whole)]
    chunks, places, data = [], {}, BytesIO()
    for start, end in zip(starts, ends, strict=True):
        offset = data.tell()
        item = BytesIO()
        torch.save(whole[start:end].clone(), item)
        data.write(item.getvalue())
        place = torch.Size([start, 0])
        sizes = torch.Size([end - start, whole.shape[1]])
        chunks.append(ChunkStorageMetadata(offsets=place, sizes=sizes))
        places[MetadataIndex("w", place)] = _StorageInfo(file, offset, len(item.getvalue()))
    size = torch.Size([whole.shape[0] + lie, whole.shape[1]])
    entry = TensorStorageMetadata(TensorProperties(dtype=whole.dtype), size, chunks)
    table = Metadata({"w": entry}, storage_data=places)
    (folder / ".metadata").write_bytes(pickle.dumps(table))
    if "/" not in file:
        (folder / file).write_bytes(data.getvalue())
    return folder


def test_chunks_are_put_together(tmp_path: Path) -> None:
    whole = torch.arange(35.0).reshape(7, 5)
    (stored,) = open_checkpoint(save_chunks(tmp_path / "c", whole, [0, 3, 5])).tensors
    assert torch.equal(dense(stored), whole)


def test_chunks_that_do_not_cover_are_missing(tmp_path: Path) -> None:
    folder = save_chunks(tmp_path / "c", torch.ones(7, 5), [0, 3], lie=1)
    (missing,) = open_checkpoint(folder).missing
    assert "hold 35 of 40 elements" in missing.reason


def test_a_lost_file_costs_its_tensors(tmp_path: Path) -> None:
    folder = save_chunks(tmp_path / "c", torch.ones(7, 5), [0, 3])
    (folder / "part").unlink()
    checkpoint = open_checkpoint(folder)
    assert [skip.parameter for skip in checkpoint.missing] == ["w"]


@pytest.mark.parametrize("file", ["../part", "/etc/passwd", "a/../../b", "..\\b"])
def test_paths_stay_inside(file: str, tmp_path: Path) -> None:
    folder = save_chunks(tmp_path / "c", torch.ones(7, 5), [0, 3], file=file)
    with pytest.raises(InputError, match="outside the folder"):
        open_checkpoint(folder)


@pytest.mark.parametrize("where", ["whole", "inside"])
def test_the_table_runs_no_code(where: str, tmp_path: Path) -> None:
    target = tmp_path / "touched"
    folder = save_distributed(tmp_path / "c")
    table: Any = Malicious(target)
    if where == "inside":
        table = Metadata({"w": table}, storage_data={})
    (folder / ".metadata").write_bytes(pickle.dumps(table))
    with pytest.raises(InputError, match=r"asks to run posix\.system .* refused"):
        open_checkpoint(folder)
    assert not target.exists()


def test_the_model_is_told_from_the_optimizer(tmp_path: Path) -> None:
    optimizer = {"state": {"w": {"exp_avg": torch.ones(2, 2)}}}
    state = {"model": weights(), "optimizer": optimizer, "step": 7}
    checkpoint = open_checkpoint(save_distributed(tmp_path / "c", state))
    assert checkpoint.step == 7
    assert {tensor.name for tensor in checkpoint.tensors} == set(weights())
    assert [skip.parameter for skip in checkpoint.skipped] == ["optimizer.state.w.exp_avg"]
