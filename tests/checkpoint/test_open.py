from __future__ import annotations

from pathlib import Path

import pytest
import torch

from spectrain.checkpoint import Checkpoint, open_checkpoint
from spectrain.checkpoint.open import step_of
from spectrain.core import InputError
from support.sample_checkpoints import (
    dense,
    save_distributed,
    save_safetensors,
    save_sharded,
    save_torch,
    weights,
)


def saved_as(kind: str, folder: Path) -> Path:
    match kind:
        case "safetensors":
            return save_safetensors(folder / "m.safetensors")
        case "torch":
            return save_torch(folder / "m.pt")
        case "torch, legacy":
            return save_torch(folder / "m.bin", legacy=True)
        case "torch distributed":
            return save_distributed(folder / "d", weights())
        case _:
            return save_sharded(folder / "s")


@pytest.mark.parametrize(
    "kind", ["safetensors", "torch", "torch, legacy", "torch distributed", "safetensors, 2 files"]
)
def test_every_format_gives_the_tensors_back(kind: str, tmp_path: Path) -> None:
    checkpoint = open_checkpoint(saved_as(kind, tmp_path))
    assert checkpoint.format == kind
    found = {tensor.name: tensor for tensor in checkpoint.tensors}
    assert found.keys() == weights().keys()
    for name, expected in weights().items():
        loaded = dense(found[name])
        assert torch.equal(loaded, expected), name
        assert loaded.dtype == expected.dtype
        assert found[name].shape == tuple(expected.shape)
        assert found[name].dtype == str(expected.dtype).removeprefix("torch.")
    assert not checkpoint.missing


def names(checkpoint: Checkpoint) -> list[str]:
    return [tensor.name for tensor in checkpoint.tensors]


def test_a_trainer_folder_is_its_model(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint-500"
    folder.mkdir()
    save_safetensors(folder / "model.safetensors", {"w": torch.ones(2, 2)})
    save_torch(folder / "optimizer.pt", {"state": {0: torch.ones(2, 2)}})
    save_torch(folder / "rng_state.pth", torch.zeros(3))
    checkpoint = open_checkpoint(folder)
    assert (names(checkpoint), checkpoint.step) == (["w"], 500)


def test_the_step_inside_the_file_counts_before_the_name(tmp_path: Path) -> None:
    path = save_torch(tmp_path / "step-3.pt", {"model": {"w": torch.ones(2, 2)}, "step": 12})
    assert open_checkpoint(path).step == 12


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("step_1000.pt", 1000),
        ("ckpt-7.safetensors", 7),
        ("iter_0000500", 500),
        ("0042", 42),
        ("gpt2.pt", None),
        ("model-00001-of-00002.safetensors", None),
    ],
)
def test_step_of(name: str, step: int | None) -> None:
    assert step_of(Path(name)) == step


@pytest.mark.parametrize("suffix", [".pt", ".safetensors", ".gguf", ".txt"])
@pytest.mark.parametrize("content", [b"", b"\0", b"hello, this is no checkpoint at all"])
def test_other_files_are_refused(suffix: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"m{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match="m"):
        open_checkpoint(path)


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        open_checkpoint(tmp_path / "absent.pt")
    with pytest.raises(InputError, match="null"):
        open_checkpoint("a\0b")
    with pytest.raises(InputError, match="no checkpoint"):
        open_checkpoint(tmp_path)


def test_a_folder_of_several_names_them(tmp_path: Path) -> None:
    for name in ("a.pt", "b.pt"):
        save_torch(tmp_path / name)
    with pytest.raises(InputError, match=r"a\.pt, b\.pt"):
        open_checkpoint(tmp_path)


def test_numbered_shards_need_no_index_but_all_files(tmp_path: Path) -> None:
    folder = save_sharded(tmp_path / "s")
    (folder / "model.safetensors.index.json").unlink()
    assert set(names(open_checkpoint(folder))) == set(weights())
    save_safetensors(tmp_path / "m-00001-of-00003.safetensors", {"a": torch.ones(1, 1)})
    save_safetensors(tmp_path / "m-00002-of-00003.safetensors", {"b": torch.ones(1, 1)})
    (tmp_path / "s" / "x").mkdir()
    with pytest.raises(InputError, match="2 of the 3 files"):
        open_checkpoint(tmp_path)


def test_gates_of_all_ranks_come_before_their_partners(tmp_path: Path) -> None:
    """Each rank holds a slice of the gate above a slice of its partner."""
    gate, partner = torch.full((6, 4), 1.0), torch.full((6, 4), 2.0)
    for rank in range(2):
        (tmp_path / f"mp_rank_0{rank}").mkdir()
        rows = slice(3 * rank, 3 * rank + 3)
        weights = {
            "decoder.layers.0.mlp.linear_fc1.weight": torch.cat([gate[rows], partner[rows]]),
            "decoder.layers.0.mlp.linear_fc2.weight": torch.ones(4, 3),
        }
        save_torch(tmp_path / f"mp_rank_0{rank}" / "model_optim_rng.pt", {"model": weights})
    first, second = open_checkpoint(tmp_path).tensors
    found = first.load()
    assert isinstance(found, torch.Tensor)
    assert torch.equal(found, torch.cat([gate, partner]))
    assert second.shape == (4, 6)


@pytest.mark.parametrize("folder", ["mp_rank_00_{:03}", "mp_rank_00_000_{:03}"])
@pytest.mark.parametrize("name", ["local_experts.{}.linear_fc1.weight", "linear_fc1.weight{}"])
def test_experts_of_all_ranks_are_numbered_through(folder: str, name: str, tmp_path: Path) -> None:
    layer = "decoder.layers.0.mlp"
    for rank in range(2):
        place = tmp_path / folder.format(rank)
        place.mkdir()
        weights = {f"{layer}.experts.{name.format(n)}": torch.eye(3) for n in range(2)}
        weights[f"{layer}.router.weight"] = torch.ones(4, 3)
        save_torch(place / "model_optim_rng.pt", {"model": weights})
    found = [item.name for item in open_checkpoint(tmp_path).tensors]
    wanted = [f"{layer}.experts.local_experts.{n}.linear_fc1.weight" for n in range(4)]
    assert sorted(found) == [*wanted, f"{layer}.router.weight"]
