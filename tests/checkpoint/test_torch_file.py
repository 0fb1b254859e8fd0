from __future__ import annotations

import argparse
import pickle
import subprocess
import zipfile
from collections import Counter, OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spectrain.checkpoint import Checkpoint, open_checkpoint
from spectrain.core import InputError
from support.sample_checkpoints import Malicious, dense, save_torch, weights


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


def test_a_whole_module_is_its_parameters(tmp_path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    checkpoint = open_checkpoint(save_torch(tmp_path / "m.pt", {"model": module, "epoch": 1}))
    found = {tensor.name: dense(tensor) for tensor in checkpoint.tensors}
    wanted = module.state_dict()
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


@dataclass
class Options:
    """Stands for what a training program keeps beside its weights."""

    rate: float
    places: list[Path]


class Mode(Enum):
    FAST = "fast"


COMPANY = {
    "namespace": argparse.Namespace(lr=0.1, layers=[2, 3]),
    "number": np.float64(0.7),
    "array": np.linspace(0, 1, 5),
    "path": Path("a/b"),
    "dataclass": Options(0.1, [Path("c")]),
    "date": datetime(2020, 1, 2, tzinfo=UTC),
    "enum": Mode.FAST,
    "ordered": OrderedDict(a=1),
    "counts": Counter("aab"),
    "device": torch.device("cpu"),
    "dtype": torch.bfloat16,
    "set": {1, 2},
}


@pytest.mark.parametrize("kind", COMPANY)
@pytest.mark.parametrize("protocol", [2, 4])
def test_what_programs_keep_beside_is_left_alone(kind: str, protocol: int, tmp_path: Path) -> None:
    w = torch.arange(6.0).reshape(2, 3)
    path = tmp_path / "m.pt"
    torch.save({"model": {"w": w}, "beside": COMPANY[kind]}, path, pickle_protocol=protocol)
    (stored,) = open_checkpoint(path).tensors
    assert torch.equal(dense(stored), w)


CALLS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "eval": (eval, ("1",)),
    "getattr": (getattr, (1, "real")),
    "hub": (torch.hub.load, ("a", "b")),
    "popen": (subprocess.Popen, (["true"],)),
    "numpy": (np.load, ("x",)),
}


class Calls:
    def __init__(self, called: Any, arguments: tuple[Any, ...]) -> None:
        self.call = called, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("call", CALLS)
def test_calls_of_what_can_do_harm_are_refused_by_name(call: str, tmp_path: Path) -> None:
    called, arguments = CALLS[call]
    saved = {"model": {"w": torch.ones(2, 2)}, "beside": Calls(called, arguments)}
    with pytest.raises(InputError, match=rf"asks to run .*{called.__name__} .* refused"):
        open_checkpoint(save_torch(tmp_path / "m.pt", saved))


def test_a_short_pickle_cannot_ask_for_endless_copies(tmp_path: Path) -> None:
    many = pickle.dumps(list(range(2000)), 2)[:-1]
    copy = b"h\x00\x85R0"  # take, make a tuple of it, call, drop
    names = b"cbuiltins\nlist\nq\x05" + copy.replace(b"h\x00", b"h\x05h\x00") * 20_000
    path = tmp_path / "m.pt"
    path.write_bytes(many + names + b".")
    with pytest.raises(InputError, match="again and again"):
        open_checkpoint(path)


PARTS = {
    "encoder": ({"encoder": {"w": 1}, "optimizer": "adam"}, {"encoder.w"}),
    "gan": ({"G": {"w": 1}, "D": {"w": 1}, "optG": "adam", "optD": "adam"}, {"G.w", "D.w"}),
    "ema": ({"model": {"w": 1}, "model_ema": {"w": 1}}, {"w"}),
    "timm": ({"state_dict": {"w": 1}, "state_dict_ema": {"w": 1}, "optimizer": "adam"}, {"w"}),
    "only ema": ({"ema": {"w": 1}, "optimizer": "adam"}, {"ema.w"}),
    "student": ({"student": {"w": 1}, "teacher": {"w": 1}, "optimizer": "adam"}, {"student.w"}),
    "distilled": ({"student": {"w": 1}, "teacher": {"v": 1}}, {"student.w", "teacher.v"}),
    "lists": ({"nets": [{"w": 1}], "optimizers": ["adam", "adam"]}, {"nets.0.w"}),
}


@pytest.mark.parametrize("kind", PARTS)
def test_parts_of_the_model_are_told_from_what_lies_beside(kind: str, tmp_path: Path) -> None:
    saved, wanted = PARTS[kind]
    path = save_torch(tmp_path / "m.pt", filled(saved))
    checkpoint = open_checkpoint(path)
    assert {tensor.name for tensor in checkpoint.tensors} == wanted
    assert all("beside the model: " in skip.reason for skip in checkpoint.skipped)


def filled(plan: Any) -> Any:
    """A plan of a checkpoint with tensors for its numbers and Adam's state for its word."""
    if plan == "adam":
        weight = torch.nn.Parameter(torch.randn(3, 2))
        optimizer = torch.optim.AdamW([weight])
        weight.square().sum().backward()
        optimizer.step()
        return optimizer.state_dict()
    if isinstance(plan, dict):
        return {key: filled(part) for key, part in plan.items()}
    return [filled(part) for part in plan] if isinstance(plan, list) else torch.randn(3, 2)


@pytest.mark.parametrize(
    "counter",
    [
        {"iter_num": 7},
        {"global_step": 7, "epoch": 1},
        {"global_steps": 7},
        {"iteration": 7},
        {"step": torch.tensor(7)},
        {"iter": np.int64(7)},
        {"train_state": {"step": 7}},
    ],
)
def test_counters_of_training_programs_are_the_step(counter: Any, tmp_path: Path) -> None:
    path = save_torch(tmp_path / "m.pt", {"model": {"w": torch.ones(2, 2)}, **counter})
    assert open_checkpoint(path).step == 7


def test_arrays_of_a_plain_pickle_are_weights(tmp_path: Path) -> None:
    w = np.arange(6, dtype=np.float32).reshape(2, 3)
    path = tmp_path / "m.bin"
    for array in (w, np.asfortranarray(w), w.astype(">f4")):
        path.write_bytes(pickle.dumps({"model": {"w": array}, "author": "me"}, 4))
        (stored,) = open_checkpoint(path).tensors
        assert stored.load().tolist() == w.tolist()


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
        assert torch.equal(dense(tensor), saved[tensor.name])
        assert dense(tensor).stride() == saved[tensor.name].stride()


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
    assert reasons(checkpoint) == {
        "optimizer.state.0.exp_avg": "beside the model: state of an optimizer"
    }
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
