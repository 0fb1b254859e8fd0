from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import polars as pl
import pytest
import torch

from spectrain.checkpoint import inspect_checkpoints, open_checkpoint
from spectrain.checkpoint.choose import TOO_FEW, TOO_MANY, choose
from spectrain.checkpoint.measure import Measured
from spectrain.checkpoint.stream import Follow
from spectrain.core import InputError
from support.sample_checkpoints import save_safetensors

T = TypeVar("T")


def many(path: Path, count: int = 12) -> Path:
    g = torch.Generator().manual_seed(0)
    tensors = {f"layers.{i}.w.weight": torch.randn(10, 6, generator=g) for i in range(count)}
    return save_safetensors(path, tensors)


def rows(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.sort("step", "block", *(["measure"] if "measure" in frame.columns else []))


class Killed(BaseException):
    """Stands for the end of the process."""


def stop_after(count: int, seen: list[int]) -> Follow:
    def follow(items: Iterator[Measured], total: int) -> Iterator[Measured]:
        seen.append(total)
        for index, item in enumerate(items):
            if index == count:
                raise Killed
            yield item

    return follow


@pytest.mark.parametrize("stops", [(0,), (5,), (3, 4)])
def test_it_goes_on_where_it_was_cut_short(stops: tuple[int, ...], tmp_path: Path) -> None:
    checkpoint = open_checkpoint(many(tmp_path / "m.safetensors"))
    whole = inspect_checkpoints([checkpoint], tmp_path / "whole").run
    left: list[int] = []
    for count in stops:
        with pytest.raises(Killed):
            inspect_checkpoints([checkpoint], tmp_path / "run", follow=stop_after(count, left))
    run = inspect_checkpoints([checkpoint], tmp_path / "run", follow=stop_after(99, left)).run
    done = [0, *stops]
    assert left == [12 - sum(done[: i + 1]) for i in range(len(done))]
    assert rows(run.metrics()).equals(rows(whole.metrics()))
    assert rows(run.spectra()).equals(rows(whole.spectra()))
    again = inspect_checkpoints([checkpoint], tmp_path / "run", follow=stop_after(0, left)).run
    assert len(left) == len(done)
    assert rows(again.metrics()).equals(rows(whole.metrics()))


def test_a_killed_process_leaves_what_it_flushed(tmp_path: Path) -> None:
    path = many(tmp_path / "m.safetensors")
    program = f"""
import os
from spectrain.checkpoint import inspect_checkpoints, open_checkpoint, stream
stream.FLUSH_SECONDS = 0.0
def follow(items, total):
    for index, item in enumerate(items):
        if index == 7:
            os.kill(os.getpid(), 9)
        yield item
inspect_checkpoints([open_checkpoint({str(path)!r})], {str(tmp_path / "run")!r}, follow=follow)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == -9, done.stderr
    left: list[int] = []
    checkpoint = open_checkpoint(path)
    run = inspect_checkpoints([checkpoint], tmp_path / "run", follow=stop_after(99, left)).run
    whole = inspect_checkpoints([checkpoint], tmp_path / "whole").run
    assert left == [5]
    assert rows(run.metrics()).equals(rows(whole.metrics()))


@pytest.mark.parametrize("workers", [2, 5])
def test_workers_change_nothing(workers: int, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    checkpoint = open_checkpoint(many(tmp_path / "m.safetensors"))
    one = inspect_checkpoints([checkpoint], tmp_path / "one").run
    many_ = inspect_checkpoints([checkpoint], tmp_path / "many", workers=workers).run
    assert rows(many_.metrics()).equals(rows(one.metrics()))
    assert torch.get_num_threads() == threads


def test_another_checkpoint_does_not_go_on(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(many(tmp_path / "m.safetensors"))
    inspect_checkpoints([checkpoint], tmp_path / "run")
    other = open_checkpoint(many(tmp_path / "n.safetensors", 3))
    with pytest.raises(InputError, match="something else"):
        inspect_checkpoints([other], tmp_path / "run")
    with pytest.raises(InputError, match="other settings"):
        inspect_checkpoints([checkpoint], tmp_path / "run", method="exact")


def test_a_series_has_the_steps(tmp_path: Path) -> None:
    checkpoints = [
        open_checkpoint(many(tmp_path / f"step-{step}.safetensors")) for step in (200, 10)
    ]
    run = inspect_checkpoints(checkpoints, tmp_path / "run").run
    assert run.metrics(measure="stable_rank")["step"].unique().sort().to_list() == [10, 200]
    with pytest.raises(InputError, match="same step"):
        inspect_checkpoints([replace(c, step=1) for c in checkpoints], tmp_path / "other")


def test_a_file_that_changes_meanwhile_leaves_reasons(tmp_path: Path) -> None:
    path = many(tmp_path / "m.safetensors")
    checkpoint = open_checkpoint(path)

    def follow(items: Iterator[T], total: int) -> Iterator[T]:
        for index, item in enumerate(items):
            if index == 5:
                os.truncate(path, 100)
            yield item

    inspection = inspect_checkpoints([checkpoint], tmp_path / "run", follow=follow)
    assert len(inspection.incomplete) == 6
    assert all("changed while it was read" in skip.reason for skip in inspection.incomplete)


def test_the_manifest_tells_dtype_back_end_and_threads(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(many(tmp_path / "m.safetensors"))
    run = inspect_checkpoints([checkpoint], tmp_path / "run").run
    assert set(run.manifest["dtypes"].values()) == {"float32"}
    assert run.manifest["config"]["threads"] == torch.get_num_threads()
    assert set(run.spectra()["method"]) == {"gram/float64"}
    assert str(tmp_path) not in str(run.manifest)


MEMORY = """
import resource, sys
import torch
torch.set_num_threads(1)
from spectrain.checkpoint import inspect_checkpoints, open_checkpoint
from spectrain.matrix import spectrum
spectrum(torch.randn(300, 300))
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
run = inspect_checkpoints([open_checkpoint(sys.argv[1])], sys.argv[2], workers=int(sys.argv[3])).run
print(peak() - before, run.spectra().height)
"""


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_memory_is_that_of_the_largest_matrix(workers: int, tmp_path: Path) -> None:
    """4 GiB of float32 in 64 matrices of 64 MiB, in a file of holes."""
    import json
    import struct

    rows_, columns, count = 65536, 256, 64
    size = rows_ * columns * 4
    header = {
        f"layers.{i}.w.weight": {
            "dtype": "F32",
            "shape": [rows_, columns],
            "data_offsets": [i * size, (i + 1) * size],
        }
        for i in range(count)
    }
    text = json.dumps(header).encode()
    path = tmp_path / "m.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + count * size)
    program = [sys.executable, "-c", MEMORY, str(path), str(tmp_path / "run"), str(workers)]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    peak, height = map(int, done.stdout.split())
    assert height == count
    # Measured: 2.5 × the largest matrix in float64 a worker.
    assert peak < workers * 3 * (rows_ * columns * 8) + (100 << 20)


def test_matrices_are_chosen_by_their_singular_values(tmp_path: Path) -> None:
    shapes = {"a.w": (3, 9), "b.w": (9, 5), "conv.w": (4, 2, 1, 1), "experts.w": (7, 3, 8)}
    tensors = {name: torch.ones(shape) for name, shape in shapes.items()} | {"n.w": torch.ones(2)}
    checkpoint = open_checkpoint(save_safetensors(tmp_path / "m.safetensors", tensors))
    chosen = choose(checkpoint, least=3, most=4)
    assert sorted(item.name for item in chosen.tensors) == ["a.w", "experts.w", "n.w"]
    assert {skip.parameter: skip.reason for skip in chosen.skipped} == {
        "b.w": TOO_MANY,
        "conv.w": TOO_FEW,
    }
