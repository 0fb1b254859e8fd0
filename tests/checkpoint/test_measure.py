from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from spectrain.checkpoint import Checkpoint, Stored, inspect_checkpoints, open_checkpoint
from spectrain.checkpoint.content import content_of
from spectrain.checkpoint.measure import Measured, measure_stored
from spectrain.core import InputError, Source
from spectrain.matrix import ENTRY_MEASURES, MEASURES
from support.sample_checkpoints import save_safetensors, save_torch, weights


def measured(tensors: dict[str, Tensor], **options: Any) -> dict[str, Measured]:
    stored = [
        Stored(name, tuple(t.shape), str(t.dtype).removeprefix("torch."), t.detach)
        for name, t in tensors.items()
    ]
    content = content_of(Checkpoint(Path("m"), "test", tuple(stored)))
    return {
        item.name: measure_stored(item, blocks, 3, **options) for item, blocks in content.tasks()
    }


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("method", ["auto", "exact", "gram"])
def test_spectra_agree_with_numpy(
    dtype: torch.dtype, method: str, generator: torch.Generator
) -> None:
    matrix = torch.randn(30, 20, generator=generator).to(dtype)
    (found,) = measured({"w": matrix}, method=method).values()
    expected = np.linalg.svd(matrix.double().numpy(), compute_uv=False)
    # Largest difference measured 3e-15 relative to σ₁.
    assert np.abs(found.spectra[0].values - expected).max() < 1e-13 * expected[0]
    assert [record.measure for record in found.records] == list(MEASURES)
    assert {(r.step, r.block, r.source) for r in found.records} == {(3, "w", Source.WEIGHT)}


def test_a_convolution_is_flattened(generator: torch.Generator) -> None:
    weight = torch.randn(5, 2, 3, 3, generator=generator)
    (found,) = measured({"conv.weight": weight}).values()
    expected = np.linalg.svd(weight.flatten(1).double().numpy(), compute_uv=False)
    assert np.allclose(found.spectra[0].values, expected, rtol=1e-12)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_has_a_reason(bad: float) -> None:
    matrix = torch.eye(4)
    matrix[1, 2] = bad
    (found,) = measured({"w": matrix}).values()
    assert {record.value for record in found.records} == {None}
    assert {record.reason for record in found.records} == {"matrix holds NaN or Inf"}
    assert {record.measure for record in found.records} == {*MEASURES, *ENTRY_MEASURES}
    assert np.isnan(found.spectra[0].values).all()


def test_a_zero_matrix_has_an_answer() -> None:
    (found,) = measured({"w": torch.zeros(4, 3)}).values()
    values = {record.measure: record.value for record in found.records}
    assert values["frobenius_norm"] == values["stable_rank"] == 0.0
    assert {record.reason for record in found.records} == {"zero matrix"}


def test_tensors_of_every_dimension() -> None:
    tensors = {f"m{dims}.x": torch.ones([2] * dims) for dims in range(6)}
    content = content_of(
        Checkpoint(
            Path("m"),
            "test",
            tuple(Stored(n, tuple(t.shape), "float32", t.detach) for n, t in tensors.items()),
        )
    )
    held = {block.parameter for block in content.blocks}
    told = {skip.parameter: skip.reason for skip in content.skipped}
    assert held | set(told) == set(tensors)
    assert held.isdisjoint(told)
    assert all(told.values())


def test_a_reader_that_fails_gives_rows_with_the_reason() -> None:
    def fail(error: Exception) -> Any:
        raise error

    for error in (InputError("it is torn", remedy="mend it"), OSError("gone"), RuntimeError("x")):
        stored = Stored("w", (2, 2), "float32", partial(fail, error))
        content = content_of(Checkpoint(Path("m"), "test", (stored,)))
        found = measure_stored(stored, content.blocks, 0)
        (reason,) = {record.reason for record in found.records}
        assert str(error) in (reason or "")
        assert found.spectra[0].values.size == 0


def test_quantised_rows_say_so() -> None:
    stored = Stored("w", (2, 2), "Q4_1", lambda: torch.eye(2), "dequantized from Q4_1")
    content = content_of(Checkpoint(Path("m"), "test", (stored,)))
    found = measure_stored(stored, content.blocks, 0)
    assert {record.reason for record in found.records} == {"dequantized from Q4_1"}


HOSTILE = [
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "a\nb\x1b[31m",
    "\ud800",
    "",
    ".",
    "%s{}[red]",
]


def test_hostile_names_are_names(tmp_path: Path) -> None:
    tensors = {f"{name}.{i}.weight": torch.eye(3) for i, name in enumerate(HOSTILE) if i != 3}
    path = save_safetensors(tmp_path / "m.safetensors", tensors)
    inspection = inspect_checkpoints([open_checkpoint(path)], tmp_path / "run")
    assert {block.parameter for block in inspection.run.blocks} == set(tensors)
    assert set(inspection.run.metrics()["block"]) == set(tensors)
    assert not inspection.incomplete
    assert {entry.name for entry in tmp_path.iterdir()} == {"m.safetensors", "run"}
    lone = save_torch(tmp_path / "m.pt", {"a": torch.eye(3)})
    assert not inspect_checkpoints([open_checkpoint(lone)], tmp_path / "other").incomplete


def test_no_tensor_is_dropped_in_silence(tmp_path: Path) -> None:
    path = save_safetensors(tmp_path / "m.safetensors")
    (content,) = inspect_checkpoints([open_checkpoint(path)], tmp_path / "run").contents
    told = {skip.parameter for skip in (*content.skipped, *content.missing)}
    assert {block.parameter for block in content.blocks} | told == set(weights())
