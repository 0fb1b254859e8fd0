"""Fused, apart and per head, against the definition; and what they are left out of."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import spectrain
from spectrain.core import Source

WIDTH = 12


class Fused(nn.Module):
    """One attention with a fused projection."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.num_heads = heads
        self.c_attn = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.c_proj = nn.Linear(WIDTH, WIDTH, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            part.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for part in self.c_attn(x).chunk(3, dim=-1)
        )
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(mixed.transpose(1, 2).flatten(2))


class Model(nn.Module):
    def __init__(self, heads: int) -> None:
        super().__init__()
        self.attn = Fused(heads)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.attn(x)


def nuclear(matrix: Tensor) -> float:
    return torch.linalg.matrix_norm(matrix.double(), "nuc").item()


@pytest.mark.parametrize("heads", [2, 3])
def test_fused_and_head_by_head_are_the_definitions(tmp_path: Path, heads: int) -> None:
    torch.manual_seed(0)
    model = Model(heads)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    with spectrain.watch(model, optimizer, tmp_path / "run", every=1, strict=True) as run:
        model(torch.randn(4, 7, WIDTH)).square().mean().backward()
        gradient = model.attn.c_attn.weight.grad.clone()
        optimizer.step()
        run.log(batch_size=4)
    rows = spectrain.open_run(tmp_path / "run").metrics(source=Source.GRADIENT)
    found = {(b, m): v for b, m, v in rows.select("block", "measure", "value").iter_rows()}
    fused = nuclear(gradient) ** 2 / gradient.double().square().sum().item()
    for index, part in enumerate("qkv"):
        name = f"attn.c_attn.weight[{part}]"
        own = gradient[index * WIDTH : (index + 1) * WIDTH]
        apart = sum(nuclear(head) ** 2 for head in own.chunk(heads))
        expected = apart / own.double().square().sum().item()
        assert found[name, "nuclear_rank_fused"] == pytest.approx(fused, rel=1e-6)
        assert found[name, "nuclear_rank_heads"] == pytest.approx(expected, rel=1e-6)
        assert found[name, "nuclear_rank_heads"] <= found[name, "nuclear_rank"] * (1 + 1e-6)
    assert ("attn.c_proj.weight", "nuclear_rank_heads") not in found


def test_nothing_is_compared_where_nothing_is_fused(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with spectrain.watch(model, optimizer, tmp_path / "run", every=1, strict=True) as run:
        model(torch.randn(3, 4)).sum().backward()
        optimizer.step()
        run.log(batch_size=3)
    measures = spectrain.open_run(tmp_path / "run").metrics()["measure"].unique()
    assert not {"nuclear_rank_fused", "nuclear_rank_heads"} & set(measures)
