from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from spectrain.checkpoint import Checkpoint, open_checkpoint
from spectrain.checkpoint.readers import torch_file
from spectrain.core import InputError
from support.sample_checkpoints import Malicious, save_torch, weights


def reasons(checkpoint: Checkpoint) -> dict[str, str]:
    return {skip.parameter: skip.reason for skip in (*checkpoint.missing, *checkpoint.skipped)}


@pytest.mark.parametrize("legacy", [False, True])
def test_nothing_is_unpickled_into_code(legacy: bool, tmp_path: Path) -> None:
    target = tmp_path / "touched"
    path = save_torch(
        tmp_path / "m.pt", {"w": torch.ones(2, 2), "evil": Malicious(target)}, legacy=legacy
    )
    with pytest.raises(InputError, match=r"asks to run posix\.system .* refused"):
        open_checkpoint(path)
    assert not target.exists()
    with path.open("rb") as file, pytest.raises(Exception, match=r".*"):  # the test of the test
        torch.load(file, weights_only=False)["nothing"]
    assert target.exists()


def test_a_plain_pickle_is_refused(tmp_path: Path) -> None:
    target, path = tmp_path / "touched", tmp_path / "m.pkl.pt"
    path.write_bytes(pickle.dumps(Malicious(target)))
    with pytest.raises(InputError, match="refused"):
        open_checkpoint(path)
    assert not target.exists()


def test_a_whole_module_is_refused(tmp_path: Path) -> None:
    path = save_torch(tmp_path / "m.pt", torch.nn.Linear(2, 2))
    with pytest.raises(InputError, match=r"torch\.nn\.modules\.linear\.Linear"):
        open_checkpoint(path)


def test_a_torchscript_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/code/__torch__.py", "")
    with pytest.raises(InputError, match="TorchScript"):
        open_checkpoint(path)


def test_a_compressed_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/data.pkl", bytes(10**7))
    with pytest.raises(InputError, match="compressed"):
        open_checkpoint(path)


def test_layouts_survive(tmp_path: Path) -> None:
    base = torch.arange(24.0).reshape(4, 6)
    saved = {"t": base.T, "rows": base[1:3], "columns": base[:, 2:4], "p": torch.nn.Parameter(base)}
    checkpoint = open_checkpoint(save_torch(tmp_path / "m.pt", saved))
    for tensor in checkpoint.tensors:
        assert torch.equal(tensor.load(), saved[tensor.name])
        assert tensor.load().stride() == saved[tensor.name].stride()


def test_what_is_odd_has_a_reason(tmp_path: Path) -> None:
    w = torch.ones(3, 3)
    saved = {
        "w": w,
        "tied": w,
        "broadcast": torch.ones(1, 1).expand(10**9, 10**9),
        "sparse": torch.eye(3).to_sparse(),
        "empty": torch.empty(0, 3),
    }
    checkpoint = open_checkpoint(save_torch(tmp_path / "m.pt", saved))
    assert [tensor.name for tensor in checkpoint.tensors] == ["w", "empty"]
    found = reasons(checkpoint)
    assert found["tied"] == "the same tensor as 'w'"
    assert "overlap" in found["broadcast"]
    assert "sparse" in found["sparse"]


def test_the_optimizer_lies_beside_the_model(tmp_path: Path) -> None:
    saved = {
        "state_dict": weights(),
        "optimizer": {"state": {0: {"exp_avg": torch.ones(2, 2)}}},
        "global_step": 3,
    }
    checkpoint = open_checkpoint(save_torch(tmp_path / "m.pt", saved))
    assert {tensor.name for tensor in checkpoint.tensors} == set(weights())
    assert reasons(checkpoint) == {"optimizer.state.0.exp_avg": "beside the model, no weight of it"}
    assert checkpoint.step == 3


def shared_list(levels: int) -> list[Any]:
    nest: list[Any] = [torch.ones(2)]
    for _ in range(levels):
        nest = [nest, nest]
    return nest


def test_shared_and_deep_containers_end(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(save_torch(tmp_path / "m.pt", shared_list(50)))
    assert len(checkpoint.tensors) == 1
    with pytest.raises(InputError, match="nested"):
        open_checkpoint(save_torch(tmp_path / "deep.pt", shared_list(100)))
    cycle: dict[str, Any] = {"w": torch.ones(2)}
    cycle["model"] = cycle
    assert len(open_checkpoint(save_torch(tmp_path / "cycle.pt", cycle)).tensors) == 1


def test_one_name_for_two_tensors_is_refused(tmp_path: Path) -> None:
    saved = {"a.b": torch.ones(2), "a": {"b": torch.zeros(2)}}
    with pytest.raises(InputError, match=r"two tensors are named 'a\.b'"):
        open_checkpoint(save_torch(tmp_path / "m.pt", saved))


def test_no_tensors_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no tensors"):
        open_checkpoint(save_torch(tmp_path / "m.pt", {"lr": 0.1}))


def test_older_files_say_what_they_cost(tmp_path: Path) -> None:
    (note,) = open_checkpoint(save_torch(tmp_path / "m.pt", legacy=True)).notes
    assert "loaded whole" in note


def test_torch_that_does_not_tell_offsets_maps_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch_file, "_offset", lambda tensor: None)
    checkpoint = open_checkpoint(save_torch(tmp_path / "m.pt"))
    assert checkpoint.notes == ("memory-mapped as a whole",)
    for tensor in checkpoint.tensors:
        assert torch.equal(tensor.load(), weights()[tensor.name])
