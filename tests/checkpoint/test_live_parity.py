"""The same spectra live and from the checkpoint of that step."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import spectrain
from spectrain.checkpoint import inspect_checkpoints, open_checkpoint
from spectrain.records import open_run
from spectrain.training.gpt import GPT, GPTConfig
from support.sample_checkpoints import save_safetensors, save_torch


class Widths(nn.Module):
    """Layers of many shapes, equal ones among them, none a multiple of a cache line."""

    def __init__(self) -> None:
        super().__init__()
        sides = [17, 33, 33, 33, 20, 20, 20, 9, 5]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sides))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = torch.tanh(layer(x))
        return x.square().mean()


def watched(model: nn.Module, inputs: torch.Tensor, folder: Path) -> None:
    """One step without change, so that the weights recorded live are those at hand afterwards."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    with spectrain.watch(model, optimizer, folder) as run:
        loss = model(inputs)
        loss = loss if loss.ndim == 0 else loss.square().mean()
        loss.backward()
        run.log(loss=loss.item())
        optimizer.step()


@pytest.mark.parametrize("kind", ["safetensors", "torch"])
@pytest.mark.parametrize("name", ["gpt", "widths"])
def test_equal_to_the_last_bit(name: str, kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    if name == "gpt":
        model: nn.Module = GPT(GPTConfig(vocabulary=31, width=48, layers=2, heads=4, context=8))
        inputs = torch.randint(31, (2, 8))
    else:
        model, inputs = Widths(), torch.randn(4, 17)
    watched(model, inputs, tmp_path / "live")
    state = {key: value.contiguous() for key, value in model.state_dict().items()}
    if kind == "torch":
        path = save_torch(tmp_path / "m.pt", state)
    else:
        path = save_safetensors(tmp_path / "m.safetensors", state)
    saved = inspect_checkpoints([open_checkpoint(path)], tmp_path / "saved").run
    live = open_run(tmp_path / "live")
    there = {row["block"]: row for row in live.spectra(source="weight").iter_rows(named=True)}
    here = {row["block"]: row for row in saved.spectra().iter_rows(named=True)}
    common = there.keys() & here.keys()
    assert len(common) >= 8
    for block in common:
        assert there[block]["method"] == here[block]["method"]
        assert np.array_equal(there[block]["values"], here[block]["values"]), block
    metrics = [
        {
            (r["block"], r["measure"]): r["value"]
            for r in run.metrics("weight").iter_rows(named=True)
        }
        for run in (live, saved)
    ]
    compared = [key for key in metrics[0] if key[0] in common and key in metrics[1]]
    assert len(compared) >= 13 * 8
    different = [key for key in compared if metrics[0][key] != metrics[1][key]]
    assert not different
