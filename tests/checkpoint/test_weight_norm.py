"""Weight-normed layers of both kinds against PyTorch's own weight norm."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from spectrain.checkpoint import open_checkpoint
from spectrain.checkpoint.content import content_of
from spectrain.core import Role


def normed(layer: nn.Module, old: bool, dim: int) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        made = nn.utils.weight_norm if old else nn.utils.parametrizations.weight_norm
        return made(layer, dim=dim)


def weight(layer: nn.Module) -> Tensor:
    if isinstance(norm := getattr(layer, "weight_g", None), Tensor):
        dim = next((d for d, n in enumerate(norm.shape) if n > 1), 0)
        return torch._weight_norm(layer.get_parameter("weight_v"), norm, dim)
    found = layer.weight
    assert isinstance(found, Tensor)
    return found


@pytest.mark.parametrize("old", [True, False], ids=["hook", "parametrization"])
@pytest.mark.parametrize("dim", [0, 1])
def test_weights_are_those_that_the_layers_multiply_by(tmp_path: Path, old: bool, dim: int) -> None:
    torch.manual_seed(0)
    layers = nn.ModuleDict(
        {
            "conv": normed(nn.Conv1d(4, 6, 3), old, dim),
            "up": normed(nn.ConvTranspose1d(4, 6, 3), old, dim),
            "lin": normed(nn.Linear(5, 3), old, dim),
        }
    )
    save_file(layers.state_dict(), tmp_path / "model.safetensors")
    content = content_of(open_checkpoint(tmp_path))
    tensors = {item.name: item for item in content.checkpoint.tensors}
    for name, layer in layers.items():
        found = tensors[f"{name}.weight"].load()
        assert isinstance(found, Tensor)
        # measured error 2e-7: one float32 norm
        assert torch.allclose(found, weight(layer), rtol=1e-6, atol=0)
    roles = {block.parameter: block.role for block in content.blocks}
    assert roles == {"conv.weight": Role.CONV, "up.weight": Role.CONV, "lin.weight": Role.OTHER}
    reasons = {skip.reason for skip in content.skipped if "bias" not in skip.parameter}
    assert reasons == {f"a part of '{name}.weight'" for name in layers}


def test_pairs_that_do_not_fit_stay_as_they_are(tmp_path: Path) -> None:
    pair = {"a.weight_g": torch.ones(3, 2), "a.weight_v": torch.ones(3, 4)}
    save_file({**pair, "b.weight_v": torch.ones(3, 4)}, tmp_path / "model.safetensors")
    names = {item.name for item in open_checkpoint(tmp_path).tensors}
    assert names == {"a.weight_g", "a.weight_v", "b.weight_v"}


@pytest.mark.parametrize("text", ["{", "[1]", "{" * 100_000, '{"n_head": "x"}'])
def test_damaged_configurations_tell_nothing(tmp_path: Path, text: str) -> None:
    save_file(
        {"h.0.attention.query_key_value.weight": torch.ones(12, 4)}, tmp_path / "m.safetensors"
    )
    (tmp_path / "config.json").write_text(text)
    assert len(content_of(open_checkpoint(tmp_path)).blocks) == 1
