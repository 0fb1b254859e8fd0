from __future__ import annotations

from pathlib import Path

import pytest
import torch

from spectrain.checkpoint import open_checkpoint
from spectrain.checkpoint.quantized import expand_scale
from spectrain.core import InputError
from support.sample_checkpoints import save_safetensors


@pytest.mark.parametrize("ending", ["_scale_inv", "_scale"])
@pytest.mark.parametrize("shape", [(), (1,), (200,), (200, 1), (2, 3)])
def test_fp8_is_multiplied_by_its_scales(
    ending: str, shape: tuple[int, ...], tmp_path: Path, generator: torch.Generator
) -> None:
    numbers = torch.randn(200, 300, generator=generator).to(torch.float8_e4m3fn)
    scale = torch.rand(shape, generator=generator) + 0.5
    path = save_safetensors(
        tmp_path / "m.safetensors", {"m.weight": numbers, f"m.weight{ending}": scale}
    )
    checkpoint = open_checkpoint(path)
    (stored,) = checkpoint.tensors
    if shape == (2, 3):
        full = scale.repeat_interleave(128, 0)[:200].repeat_interleave(128, 1)[:, :300]
    else:
        full = scale.reshape(-1, 1)
    assert torch.equal(stored.load(), numbers.float() * full)
    assert stored.note == "float8_e4m3fn times its scales"
    assert [skip.parameter for skip in checkpoint.skipped] == [f"m.weight{ending}"]


def test_fp8_alone_is_read_as_it_is(tmp_path: Path) -> None:
    numbers = torch.tensor([[1.0, 448.0]]).to(torch.float8_e4m3fn)
    (stored,) = open_checkpoint(
        save_safetensors(tmp_path / "m.safetensors", {"m.weight": numbers})
    ).tensors
    assert stored.load().tolist() == [[1.0, 448.0]]


def test_packed_integers_are_missing(tmp_path: Path) -> None:
    tensors = {
        "q.qweight": torch.ones(3, 3, dtype=torch.int32),
        "q.qzeros": torch.ones(3, 3, dtype=torch.int32),
        "q.scales": torch.ones(3, 3),
        "b.weight": torch.ones(3, 3, dtype=torch.uint8),
        "w.weight": torch.ones(3, 3),
    }
    checkpoint = open_checkpoint(save_safetensors(tmp_path / "m.safetensors", tensors))
    assert {skip.parameter for skip in checkpoint.missing} == {"q.qweight", "b.weight"}
    assert {skip.parameter for skip in checkpoint.skipped} == {"q.qzeros", "q.scales"}
    assert [tensor.name for tensor in checkpoint.tensors] == ["w.weight"]


def test_an_unknown_layout_of_scales_is_refused() -> None:
    with pytest.raises(InputError, match="scales"):
        expand_scale(torch.ones(7, 5), (200, 300))
