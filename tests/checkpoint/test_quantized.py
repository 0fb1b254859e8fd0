"""Every quantization format against its own arithmetic, written out naively from its definition."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from spectrain.checkpoint import Checkpoint, open_checkpoint
from spectrain.checkpoint.content import content_of
from spectrain.checkpoint.quantized import DECODERS
from spectrain.checkpoint.quantized.bits import unpack
from spectrain.checkpoint.quantized.float8 import expand_scale
from spectrain.core import InputError
from support.quantized_formats import FORMATS, UNKNOWN, into_words
from support.sample_checkpoints import dense, save_safetensors


def opened(folder: Path, tensors: dict[str, Tensor], config: dict[str, object]) -> Checkpoint:
    save_safetensors(folder / "model.safetensors", {k: v.contiguous() for k, v in tensors.items()})
    (folder / "config.json").write_text(json.dumps(config))
    return open_checkpoint(folder)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_format_against_its_own_arithmetic(kind: str, tmp_path: Path) -> None:
    tensors, config, wanted = FORMATS[kind]()
    checkpoint = opened(tmp_path, tensors, config)
    (stored,) = checkpoint.tensors
    matrix = stored.load()
    assert isinstance(matrix, Tensor)
    assert stored.shape == tuple(matrix.shape) == tuple(wanted.shape)
    assert stored.note is not None
    # Two roundings to float32: measured at most 1e-7 of the largest number.
    assert np.abs(matrix.numpy() - wanted.numpy()).max() <= 3e-7 * float(wanted.abs().max())
    assert not checkpoint.missing
    assert {skip.parameter for skip in checkpoint.skipped} | {stored.name} >= tensors.keys()


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if not kind.startswith("fp8")])
def test_a_format_that_does_not_fit_is_missing(kind: str, tmp_path: Path) -> None:
    """One part cut short: the weight is missing, or its load says so; no part is measured."""
    tensors, config, _ = FORMATS[kind]()
    name = next(iter(tensors))
    cut = tensors | {name: tensors[name][:-1]}
    checkpoint = opened(tmp_path, cut, config)
    blocks = {block.parameter for block in content_of(checkpoint).blocks}
    for stored in checkpoint.tensors:
        if stored.name in blocks:
            with pytest.raises((InputError, RuntimeError, IndexError)):
                stored.load()
            return
    assert checkpoint.missing


def test_every_decoder_is_tested() -> None:
    said = " ".join(FORMATS).lower()
    known = {"bitsandbytes": "nf4", "unknown": "fp8"}
    assert all(known.get(name, name).lower() in said for name in DECODERS)


def test_fp8_alone_has_a_note(tmp_path: Path) -> None:
    numbers = torch.tensor([[1.0, 448.0]]).to(torch.float8_e4m3fn)
    (stored,) = opened(tmp_path, {"m.weight": numbers}, {}).tensors
    assert stored.load().tolist() == [[1.0, 448.0]]
    assert stored.note is not None
    assert "without a known scale" in stored.note


@pytest.mark.parametrize("kind", UNKNOWN)
def test_what_is_not_understood_is_missing_and_nothing_of_it_measured(
    kind: str, tmp_path: Path
) -> None:
    checkpoint = opened(tmp_path, UNKNOWN[kind] | {"w.weight": torch.ones(3, 3)}, {})
    assert checkpoint.missing[0].parameter.startswith("q.")
    assert [block.name for block in content_of(checkpoint).blocks] == ["w.weight"]


def test_masks_and_indices_are_no_weights(tmp_path: Path) -> None:
    tensors = {
        "attn.bias": torch.ones(1, 1, 4, 4, dtype=torch.uint8),
        "attn.relative_position_index": torch.ones(4, 4, dtype=torch.int32),
        "position_ids": torch.arange(4)[None],
        "num_batches_tracked": torch.tensor(3, dtype=torch.int32),
    }
    assert not opened(tmp_path, tensors, {}).missing


@pytest.mark.parametrize("bits", range(1, 9))
def test_unpacking_against_python(bits: int) -> None:
    numbers = torch.randint(0, 1 << bits, (3, 64), generator=torch.Generator().manual_seed(bits))
    assert torch.equal(unpack(into_words(numbers, bits), bits).long(), numbers)


def test_an_unknown_layout_of_scales_is_refused() -> None:
    with pytest.raises(InputError, match="scales"):
        expand_scale(torch.ones(7, 5), (200, 300))


def test_a_mark_in_fp8_is_no_scale(tmp_path: Path) -> None:
    numbers = torch.ones(3, 4).to(torch.float8_e4m3fn)
    mark = {"scaled_fp8": torch.zeros(2).to(torch.float8_e4m3fn), "weight": numbers}
    tensors = mark | {"m.weight": numbers.clone(), "m.scale_weight": torch.full((1,), 2.0)}
    checkpoint = opened(tmp_path, tensors, {})
    found = {item.name: dense(item) for item in checkpoint.tensors}
    assert not checkpoint.missing
    assert torch.equal(found["m.weight"], torch.full((3, 4), 2.0))
    assert torch.equal(found["weight"], torch.ones(3, 4))
