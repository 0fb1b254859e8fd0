"""Damaged and hostile files: every one is refused in words or answered in rows, and none hangs."""

from __future__ import annotations

import argparse
import importlib
import os
import pickle
import random
import shutil
import signal
import subprocess
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spectrain.checkpoint import open_checkpoint
from spectrain.checkpoint.content import content_of
from spectrain.checkpoint.measure import measure_stored
from spectrain.checkpoint.weightwatcher import weightwatcher_records
from spectrain.core import InputError
from support.sample_checkpoints import (
    raw_safetensors,
    save_distributed,
    save_gguf,
    save_safetensors,
    save_sharded,
    save_torch,
)
from support.situations import SITUATIONS

SECONDS = 30
LENGTHS = [b"\xff" * 8, bytes(8), *((1 << bits).to_bytes(8, "little") for bits in (31, 40, 62))]

FORMATS: dict[str, Callable[[Path], tuple[Path, Path]]] = {
    "safetensors": lambda folder: (p := save_safetensors(folder / "m.safetensors"), p),
    "torch": lambda folder: (p := save_torch(folder / "m.pt"), p),
    "torch legacy": lambda folder: (p := save_torch(folder / "m.pt", legacy=True), p),
    "distributed table": lambda folder: (p := save_distributed(folder / "d"), p / ".metadata"),
    "distributed data": lambda folder: (p := save_distributed(folder / "d"), p / "__0_0.distcp"),
    "gguf": lambda folder: (p := save_gguf(folder / "m.gguf"), p),
    "index": lambda folder: (p := save_sharded(folder / "s"), p / "model.safetensors.index.json"),
    "quantized": lambda folder: (
        p := SITUATIONS["quantized: nf4, nested"](folder),
        p / "model.safetensors",
    ),
    "adapter": lambda folder: (
        p := SITUATIONS["adapter: LoHa"](folder),
        p / "adapter_model.safetensors",
    ),
    "adapter's config": lambda folder: (
        p := SITUATIONS["adapter: LoHa"](folder),
        p / "adapter_config.json",
    ),
    "Megatron": lambda folder: (
        p := SITUATIONS["Megatron, pipeline-parallel"](folder),
        p / "mp_rank_00_001" / "model_optim_rng.pt",
    ),
    "ZeRO-3": lambda folder: (
        p := SITUATIONS["DeepSpeed, ZeRO-3"](folder),
        p / "global_step7" / "zero_pp_rank_1_mp_rank_00_optim_states.pt",
    ),
}
"""Each saves a checkpoint and returns what is opened and which of its files is damaged."""


@contextmanager
def time_limit() -> Iterator[None]:
    """Of processor time: on a busy machine a case may wait for long."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"it takes more than {SECONDS} seconds")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def inspect_all(path: Path) -> None:
    """Open and measure everything; only an InputError may come out."""
    with time_limit(), warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            content = content_of(open_checkpoint(path))
        except InputError:
            return
        for stored, blocks in content.tasks():
            found = measure_stored(stored, blocks, 0, extra=weightwatcher_records)
            told = {record.block for record in found.records}
            assert told >= {block.name for block in blocks}
            assert all(r.value is not None or r.reason for r in found.records)


def mutated(content: bytes, rng: random.Random) -> bytes:
    """A few bytes changed, lost, added, moved, or a length replaced by an absurd one."""
    data = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 2, 4, 8])):
        near = min(len(data), 400)  # headers are damaged more often than data
        at = rng.randrange(max(1, rng.choice([near, len(data)])))
        match rng.choice("bbbbbbcdeellm"):
            case "b":
                data[at : at + 1] = bytes([rng.choice([0, 1, 127, 128, 255, rng.randrange(256)])])
            case "c":
                del data[at : at + rng.choice([1, 2, 8, 64])]
            case "d":
                data[at:at] = rng.randbytes(rng.choice([1, 4, 8]))
            case "e":
                del data[at:]
            case "l":
                data[at : at + 8] = rng.choice(LENGTHS)
            case _:
                source = rng.randrange(max(1, len(data)))
                data[at : at + 16] = data[source : source + 16]
    return bytes(data) or b"\0"


def fuzz(kind: str, folder: Path, cases: int, seed: int) -> None:
    path, damaged = FORMATS[kind](folder)
    whole = damaged.read_bytes()
    before = sorted(folder.rglob("*"))
    rng = random.Random(seed)
    for case in range(cases):
        damaged.write_bytes(mutated(whole, rng))
        try:
            inspect_all(path)
        except BaseException as error:
            error.add_note(f"{kind}, seed {seed}, case {case}")
            raise
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("kind", FORMATS)
def test_mutations(kind: str, tmp_path: Path) -> None:
    fuzz(kind, tmp_path, cases=25, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", FORMATS)
def test_many_mutations(kind: str, tmp_path: Path) -> None:
    fuzz(kind, tmp_path, cases=1000, seed=1)


CALLS: list[tuple[Any, tuple[Any, ...]]] = [
    (os.system, ("touch {target}",)),
    (subprocess.Popen, (["touch", "{target}"],)),
    (eval, ("open('{target}', 'w')",)),
    (exec, ("open('{target}', 'w')",)),
    (open, ("{target}", "w")),
    (getattr, ("{target}", "upper")),
    (importlib.import_module, ("os",)),
    (Path.touch, (Path("{target}"),)),
    (torch.hub.load, ("{target}", "x")),
    (np.save, ("{target}", 1)),
]
"""What a hostile pickle may want to have called."""


class Evil:
    """Pickles as a call, with attributes and items as the generator wishes."""

    def __init__(self, target: Path, rng: random.Random) -> None:
        called, arguments = rng.choice(CALLS)
        filled = tuple(
            argument.replace("{target}", str(target)) if isinstance(argument, str) else argument
            for argument in arguments
        )
        state = rng.choice([None, None, {"a": 1}, ({"a": 1}, {"__class__": 2})])
        self.made = (called, filled, state) if state is not None else (called, filled)

    def __reduce__(self) -> Any:
        return self.made


def hidden(evil: Any, rng: random.Random) -> Any:
    """A saved object with something in it."""
    w = {"layers.0.w.weight": torch.ones(4, 3)}
    match rng.randrange(8):
        case 0:
            return {"model": w, "extra": evil}
        case 1:
            return {"model": {**w, "evil": evil}}
        case 2:
            return [w, (evil, {"deep": [evil]})]
        case 3:
            return {"model": w, "args": argparse.Namespace(inner=evil)}
        case 4:
            return OrderedDict(model=w, more=OrderedDict(e=evil))
        case 5:
            return evil
        case 6:
            return {"optimizer": {"state": {0: {"exp_avg": evil}}, "param_groups": []}, "model": w}
        case _:
            return {"model": w, "step": evil, "iteration": evil}


def save_hidden(saved: Any, folder: Path, rng: random.Random) -> Path:
    """It in any place where a pickle can hide."""
    match rng.randrange(10):
        case 0:
            torch.save(saved, folder / "m.pt", pickle_protocol=rng.choice([2, 3, 4, 5]))
        case 1:
            torch.save(saved, folder / "m.pt", _use_new_zipfile_serialization=False)
        case 2:
            (folder / "m.pt").write_bytes(pickle.dumps(saved, rng.randrange(6)))
        case 3:
            place = save_distributed(folder / "d")
            (place / ".metadata").write_bytes(pickle.dumps(saved, rng.randrange(6)))
            return place
        case 4:  # beside the table, where steps are read
            place = save_distributed(folder / "d")
            (place / rng.choice(["common.pt", "meta.pt"])).write_bytes(pickle.dumps(saved))
            return place
        case 5:
            place = SITUATIONS["Megatron, pipeline-parallel"](folder)
            torch.save(saved, place / "mp_rank_00_001" / "model_optim_rng.pt")
            return place
        case 6:
            place = SITUATIONS["DeepSpeed, ZeRO-3"](folder)
            side = rng.choice(["model", "optim"])
            name = f"zero_pp_rank_{rng.randrange(2)}_mp_rank_00_{side}_states.pt"
            torch.save(saved, place / "global_step7" / name)
            return place
        case 7:  # a shard of a folder without an index
            for number in (1, 2):
                torch.save(saved, folder / f"pytorch_model-0000{number}-of-00002.bin")
            return folder
        case 8:
            place = SITUATIONS["consolidated slices of Llama"](folder)
            torch.save(saved, place / "consolidated.01.pth")
            return place
        case _:
            place = save_distributed(folder / "d")
            torch.save(saved, folder / "item.pt")
            data = (folder / "item.pt").read_bytes()
            (folder / "item.pt").unlink()
            (place / "__0_0.distcp").write_bytes(data * 3)
            return place
    return folder / "m.pt"


def evil_pickles(folder: Path, cases: int, seed: int) -> None:
    rng = random.Random(seed)
    for case in range(cases):
        place = folder / str(case)
        place.mkdir()
        target = folder / "touched"
        path = save_hidden(hidden(Evil(target, rng), rng), place, rng)
        try:
            inspect_all(path)
        except BaseException as error:
            error.add_note(f"seed {seed}, case {case}")
            raise
        assert not target.exists(), f"seed {seed}, case {case}"
        shutil.rmtree(place)


def test_evil_pickles(tmp_path: Path) -> None:
    evil_pickles(tmp_path, cases=20, seed=0)


@pytest.mark.slow
def test_many_evil_pickles(tmp_path: Path) -> None:
    evil_pickles(tmp_path, cases=1000, seed=1)


SIDES = st.one_of(
    st.integers(0, 5), st.sampled_from([-1, 1 << 31, 1 << 62, 1 << 70, 1.5, None, "3"])
)
ENTRIES = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "F64", "BF16", "F8_E4M3", "I64", "C64", "F4", "X", None]),
        "shape": st.lists(SIDES, max_size=5),
        "data_offsets": st.lists(
            st.one_of(st.integers(-1, 200), st.just(1 << 63)), min_size=1, max_size=3
        ),
    }
)
HEADERS = st.dictionaries(
    st.text(max_size=12), st.one_of(ENTRIES, st.none(), st.integers()), max_size=4
)
DATA = st.binary(max_size=200)


@given(header=HEADERS, data=DATA)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_any_header(header: dict[str, object], data: bytes, tmp_path: Path) -> None:
    inspect_all(raw_safetensors(tmp_path / "m.safetensors", header, data))


SHAPES = st.lists(st.integers(0, 4), max_size=5)


@given(
    shapes=st.dictionaries(st.text(min_size=1, max_size=12), SHAPES, min_size=1, max_size=5),
    data=st.binary(min_size=1, max_size=64),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_any_names_shapes_and_numbers(
    shapes: dict[str, list[int]], data: bytes, tmp_path: Path
) -> None:
    header, end, body = {}, 0, b""
    for name, shape in shapes.items():
        count = 4
        for side in shape:
            count *= side
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + count]}
        end += count
        body += (data * count)[:count]
    inspect_all(raw_safetensors(tmp_path / "m.safetensors", header, body))


@given(content=st.binary(max_size=300), suffix=st.sampled_from([".pt", ".safetensors", ".gguf"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_any_bytes(content: bytes, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"m{suffix}"
    path.write_bytes(content)
    inspect_all(path)
