"""The favoured cut: from records with a known answer, and from watched models to words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import spectrain
from spectrain.answers import descent
from spectrain.answers.descent import DescentRow
from spectrain.core import Block, Record, Role, Source, View
from spectrain.records import RunWriter, open_run
from support.synthetic_run import make_block

QKV = (Role.ATTENTION_Q, Role.ATTENTION_K, Role.ATTENTION_V)


def fused_blocks() -> list[Block]:
    return [
        replace(
            make_block(f"w[{role.value[-1]}]", role, 0, (8, 8)),
            parameter="w",
            view=View(rows=((8 * index, 8 * index + 8),)),
        )
        for index, role in enumerate(QKV)
    ]


def write(path: Path, values: dict[str, tuple[float, ...]], stable: tuple[float, ...]) -> None:
    """The same gradient of three blocks at 24 steps; energies are 1, 1 and 2."""
    blocks = fused_blocks()
    writer = RunWriter(path, manifest={"blocks": [block.to_dict() for block in blocks]})
    values = {"frobenius_norm": (1.0, 1.0, 2**0.5), **values}
    for step in range(24):
        writer.write(
            [
                Record(step, block.name, source, measure, column[index])
                for index, block in enumerate(blocks)
                for source, measure, column in (
                    (Source.INPUT, "stable_rank", stable),
                    *((Source.GRADIENT, name, column) for name, column in values.items()),
                )
            ]
        )
    writer.close({})


@pytest.mark.parametrize(
    ("ranks", "fused", "heads", "favoured", "gain"),
    [
        # in units of the Euclidean guarantee: apart (3 + 3 + 2·3)/4 = 3, fused 4.5, heads 1.5
        ((6.0, 6.0, 6.0), 9.0, 3.0, "fused", 1.5),
        # one part is worth a spectral step, the whole is not: (1 + 1 + 2·2)/4 = 1.5 over 1
        ((1.0, 1.0, 4.0), 1.5, 1.0, "apart", 1.5),
        # nothing is
        ((1.0, 1.0, 1.0), 1.5, 1.0, "any", 1.0),
    ],
)
def test_the_cut_of_the_largest_guarantee(ranks, fused, heads, favoured, gain, tmp_path):
    values = {
        "nuclear_rank": ranks,
        "nuclear_rank_fused": (fused,) * 3,
        "nuclear_rank_heads": (heads,) * 3,
    }
    write(tmp_path / "run", values, (2.0, 2.0, 2.0))
    rows = descent(open_run(tmp_path / "run")).rows
    assert {row.granularity for row in rows} == {favoured}
    assert rows[0]["granularity_gain"] == pytest.approx(gain)
    assert set(rows[0]["granularities"]) == {"fused", "apart", "per head"}


def test_parts_that_see_different_activations_are_not_compared_fused(tmp_path):
    values: dict[str, tuple[float, ...]] = {
        "nuclear_rank": (6.0,) * 3,
        "nuclear_rank_fused": (9.0,) * 3,
    }
    write(tmp_path / "run", values, (2.0, 2.0, 4.0))
    assert [row.granularity for row in descent(open_run(tmp_path / "run")).rows] == [None] * 3


class Experts(nn.Module):
    """Two experts in one tensor, each for every second token."""

    def __init__(self) -> None:
        super().__init__()
        self.w1 = nn.Parameter(torch.randn(2, 12, 6) / 6**0.5)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x[index::2] @ self.w1[index].mT for index in range(2)])


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.num_heads = 3
        self.c_attn = nn.Linear(12, 36, bias=False)
        self.c_proj = nn.Linear(12, 12, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            part.unflatten(-1, (3, -1)).transpose(1, 2) for part in self.c_attn(x).chunk(3, dim=-1)
        )
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(mixed.transpose(1, 2).flatten(2))


def watched(model: nn.Module, batch: tuple[int, ...], path: Path) -> list[DescentRow]:
    torch.manual_seed(0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with spectrain.watch(model, optimizer, path, every=1, strict=True) as run:
        for _ in range(12):
            optimizer.zero_grad()
            model(torch.randn(batch)).square().mean().backward()
            optimizer.step()
            run.log(batch_size=batch[0])
    return list(descent(spectrain.open_run(path)).rows)


def test_experts_of_a_watched_model(tmp_path):
    torch.manual_seed(0)
    model = nn.ModuleDict({"experts": Experts()})
    model.forward = lambda x: model["experts"](x)
    rows = watched(model, (16, 6), tmp_path / "run")
    assert [row.granularity for row in rows] == ["per expert"] * 2
    assert 1 <= rows[0]["granularity_low"] <= rows[0]["granularity_gain"]


def test_heads_of_a_watched_model(tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(Attention())
    rows = {row.block: row for row in watched(model, (4, 7, 12), tmp_path / "run")}
    for part in "qkv":
        found = rows[f"0.c_attn.weight[{part}]"]["granularities"]
        assert found["fused"] >= found["per head"]
        assert found["apart"] >= found["per head"]
    assert rows["0.c_proj.weight"]["granularity"] is None
    advice = " ".join(descent(spectrain.open_run(tmp_path / "run")).advice)
    assert "Granularity:" in advice
