"""Every architecture of the support package is watched without a probe failing."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
import torch
from torch import nn

import spectrain
from spectrain.core import Source


def test_packed_sequences_through_an_lstm(tmp_path: Path) -> None:
    model = nn.LSTM(3, 5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    packed = nn.utils.rnn.pack_sequence([torch.ones(4, 3), torch.ones(2, 3)])
    with spectrain.watch(model, optimizer, tmp_path / "run", every=1, strict=True):
        model(packed)[0].data.sum().backward()
        optimizer.step()
    run = spectrain.open_run(tmp_path / "run")
    inputs = run.metrics(source=Source.INPUT, measure="stable_rank")
    fed = inputs.filter(pl.col("block").str.starts_with("weight_ih_l0"))
    assert dict(fed.select("block", "count").rows()) == {f"weight_ih_l0[{g}]": 6 for g in "ifgo"}


@pytest.mark.parametrize("keywords", [False, True])
def test_attention_called_by_position_or_by_keyword(tmp_path: Path, keywords: bool) -> None:
    model = nn.MultiheadAttention(4, 2, batch_first=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    with spectrain.watch(model, optimizer, tmp_path / "run", every=1, strict=True):
        out = model(query=x, key=x, value=x) if keywords else model(x, x, x)
        out[0].square().sum().backward()
        optimizer.step()
    run = spectrain.open_run(tmp_path / "run")
    ranks = run.metrics(source=Source.INPUT, measure="stable_rank")
    sigma = torch.linalg.svdvals(x.reshape(-1, 4).double())
    expected = (sigma.square().sum() / sigma[0] ** 2).item()
    assert len(ranks) == 3
    assert ranks["value"].to_list() == pytest.approx([expected] * 3, rel=1e-5)
    other = run.metrics(source=Source.CRITERION_INPUT, measure="stable_rank")
    assert other["value"].to_list() == pytest.approx([expected], rel=1e-5)


def test_a_convolutional_network_with_batch_norm(tmp_path: Path) -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5)
    )
    before = {name: buffer.clone() for name, buffer in model[1].named_buffers()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with spectrain.watch(model, optimizer, tmp_path / "run", every=1, strict=True):
        model(x).square().mean().backward()
        optimizer.step()
    assert model[1].num_batches_tracked.item() == before["num_batches_tracked"].item() + 1
    run = spectrain.open_run(tmp_path / "run")
    counts = run.metrics(source=Source.INPUT, measure="stable_rank")
    assert dict(zip(counts["block"], counts["count"], strict=True)) == {
        "0.weight": 6 * 36,
        "1.weight": 6 * 36,
        "4.weight": 6,
    }
