"""Spectrally normed and pruned layers against the weights that PyTorch itself multiplies by."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from spectrain.checkpoint import open_checkpoint
from spectrain.checkpoint.parametrized import RAW
from spectrain.core import InputError

LAYERS: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Linear(8, 6),
    "convolution": lambda: nn.Conv2d(3, 5, 3),
    "transposed": lambda: nn.ConvTranspose2d(4, 6, 3),
    "transposed and square": lambda: nn.ConvTranspose2d(4, 4, 3),
}


def saved(layer: nn.Module, folder: Path) -> dict[str, Tensor]:
    torch.save(layer.state_dict(), folder / "model.pt")
    loaded = {item.name: item.load() for item in open_checkpoint(folder / "model.pt").tensors}
    return {name: tensor for name, tensor in loaded.items() if isinstance(tensor, Tensor)}


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("old", [True, False], ids=["hook", "parametrization"])
def test_spectral_norm(kind: str, old: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    made = nn.utils.spectral_norm if old else nn.utils.parametrizations.spectral_norm
    layer = made(LAYERS[kind]())
    given = (
        torch.ones(1, 8) if kind == "linear" else torch.ones(1, 3 + (kind != "convolution"), 5, 5)
    )
    layer(given)
    layer.eval()
    layer(given)
    wanted = layer.weight
    assert isinstance(wanted, Tensor)
    found = saved(layer, tmp_path)
    assert found.keys() == {"weight", "bias"}
    # measured error 3e-8: one division in float32
    assert torch.allclose(found["weight"], wanted, rtol=1e-6, atol=1e-7)


def test_pruned(tmp_path: Path) -> None:
    torch.manual_seed(0)
    layer = prune.l1_unstructured(nn.Linear(8, 6), "weight", 0.5)
    found = saved(layer, tmp_path)
    assert found.keys() == {"weight", "bias"}
    assert isinstance(layer.weight, Tensor)
    assert torch.equal(found["weight"], layer.weight.detach())


def test_another_parametrization_has_a_note(tmp_path: Path) -> None:
    layer = nn.utils.parametrizations.orthogonal(nn.Linear(8, 6))
    torch.save(layer.state_dict(), tmp_path / "model.pt")
    checkpoint = open_checkpoint(tmp_path / "model.pt")
    notes = {item.name: item.note for item in checkpoint.tensors}
    assert notes == {"parametrizations.weight.original": RAW, "bias": None}
    assert [skip.reason for skip in checkpoint.skipped] == ["a buffer of a parametrization"]


def test_vectors_that_do_not_fit_are_told(tmp_path: Path) -> None:
    state = {"weight_orig": torch.ones(4, 3), "weight_u": torch.ones(5), "weight_v": torch.ones(3)}
    torch.save(state, tmp_path / "model.pt")
    (item,) = open_checkpoint(tmp_path / "model.pt").tensors
    with pytest.raises(InputError, match="do not fit"):
        item.load()
