from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from spectrain.core import Role
from spectrain.network import Network, blocks_from_shapes, find_blocks
from support.architectures import ARCHITECTURES

SIZES = {
    "groups": st.integers(1, 3),
    "repeats": st.integers(1, 3),
    "head": st.integers(1, 4),
    "width": st.integers(5, 9),
}


def fused(groups: int, repeats: int, head: int, width: int, name: str) -> tuple[nn.Module, Tensor]:
    """An attention with ``groups`` key heads, and its fused weight of increasing integers."""
    heads = groups * repeats
    projection = nn.Linear(width, (heads + 2 * groups) * head, bias=False)
    projection.weight = nn.Parameter(
        torch.arange(float(projection.weight.numel())).reshape_as(projection.weight)
    )
    attention: Any = nn.Module()
    attention.num_heads = heads
    setattr(attention, name, projection)
    attention.o_proj = nn.Linear(heads * head, width, bias=False)
    return attention, projection.weight.detach()


def matrices(network: Network, model: nn.Module) -> dict[str, Tensor]:
    return {
        block.name.partition("[")[2].rstrip("]") or block.name: block.view.of(
            model.get_parameter(block.parameter)
        ).detach()
        for block in network.blocks
    }


@given(**SIZES)
def test_grouped_queries_in_one_projection(
    groups: int, repeats: int, head: int, width: int
) -> None:
    model, weight = fused(groups, repeats, head, width, "qkv_proj")
    found = matrices(find_blocks(model), model)
    sizes = [groups * repeats * head, groups * head, groups * head]
    for name, rows in zip("qkv", weight.split(sizes), strict=True):
        assert torch.equal(found[name], rows)


@given(**SIZES)
def test_grouped_queries_head_by_head(groups: int, repeats: int, head: int, width: int) -> None:
    model, weight = fused(groups, repeats, head, width, "query_key_value")
    found = matrices(find_blocks(model), model)
    apart = weight.reshape(groups, repeats + 2, head, width)
    assert torch.equal(found["q"], apart[:, :-2].reshape(-1, width))
    assert torch.equal(found["k"], apart[:, -2].reshape(-1, width))
    assert torch.equal(found["v"], apart[:, -1].reshape(-1, width))


@given(interleaved=st.booleans(), **SIZES)
def test_heads_are_equal_parts_in_order(
    groups: int, repeats: int, head: int, width: int, interleaved: bool
) -> None:
    name = "query_key_value" if interleaved else "qkv"
    model, _ = fused(groups, repeats, head, width, name)
    whole = matrices(find_blocks(model), model)
    parts = matrices(find_blocks(model, heads=True), model)
    for letter, number in (("q", groups * repeats), ("k", groups), ("v", groups)):
        heads = [parts.pop(f"{letter}.head {index}") for index in range(number)]
        assert {matrix.shape for matrix in heads} == {(head, width)}
        assert torch.equal(torch.cat(heads), whole[letter])
    outputs = [parts.pop(f"head {index}") for index in range(groups * repeats)]
    assert torch.equal(torch.cat(outputs, dim=1), whole["o_proj.weight"])
    assert not parts


def test_attention_of_torch_with_sizes_of_its_own() -> None:
    model = nn.MultiheadAttention(6, 3, kdim=4, vdim=5)
    blocks = {block.name: block for block in find_blocks(model, heads=True).blocks}
    assert blocks["k_proj_weight[head 2]"].shape == (2, 4)
    assert blocks["v_proj_weight[head 2]"].role is Role.ATTENTION_V
    feed = blocks["v_proj_weight[head 0]"].literal_input
    assert feed is not None
    assert feed.argument == 2
    assert blocks["out_proj.weight[head 0]"].criterion_input == feed


def test_gate_comes_first() -> None:
    model, _ = ARCHITECTURES["phi3"]()
    name = "model.layers.0.mlp.gate_up_proj.weight"
    blocks = {block.name: block for block in find_blocks(model).blocks}
    gate, into = model.get_parameter(name).chunk(2)
    assert torch.equal(blocks[f"{name}[gate]"].view.of(model.get_parameter(name)), gate)
    assert torch.equal(blocks[f"{name}[in]"].view.of(model.get_parameter(name)), into)


def test_given_number_of_heads_decides() -> None:
    model, _ = ARCHITECTURES["gpt2"]()
    blocks = find_blocks(model, heads=2).blocks
    assert sum("[q.head" in block.name for block in blocks if block.depth == 0) == 2


SEPARATE = {f"layers.0.attn.{n}_proj.weight": (8, 8) for n in "qkvo"}
INTERLEAVED = {"h.0.query_key_value.weight": (24, 8), "h.0.dense.weight": (8, 8)}
ODD = {"h.0.qkv.weight": (25, 8), "h.0.proj.weight": (8, 8)}


@pytest.mark.parametrize(
    ("shapes", "heads", "whole", "reason"),
    [
        (SEPARATE, True, list(SEPARATE), "no head count was found: pass heads=N"),
        (SEPARATE, 3, list(SEPARATE), r"\(8, 8\) is not made of 3 equal heads"),
        (INTERLEAVED, False, list(INTERLEAVED)[:1], "rows run head by head, and no head count"),
        (INTERLEAVED, 3, list(INTERLEAVED), "24 rows are not those of 3 heads|equal heads"),
        (ODD, False, list(ODD)[:1], "25 rows with 8 of queries: the sizes"),
    ],
)
def test_what_stays_whole_is_listed(
    shapes: dict[str, tuple[int, int]], heads: bool | int, whole: list[str], reason: str
) -> None:
    network = blocks_from_shapes(shapes.items(), heads=heads)
    assert [skip.parameter for skip in network.unsplit] == whole
    assert all(re.search(reason, skip.reason) for skip in network.unsplit)
    assert {block.name for block in network.blocks} >= set(whole)
