"""What configurations tell, and fused projections by the definition of each architecture."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from spectrain.network import blocks_from_shapes
from spectrain.network.architecture import Architecture

WIDTH, HEADS, SIDE = 6, 4, 2


def split(names: tuple[str, str], rows: int, config: dict[str, Any], outputs: int) -> list[Tensor]:
    """q, k and v as blocks read them out of a weight of increasing numbers."""
    fused, output = names
    pairs = {f"{fused}.weight": (rows, WIDTH), f"{output}.weight": (WIDTH, outputs)}
    weight = torch.arange(rows * WIDTH).reshape(rows, WIDTH)
    blocks = blocks_from_shapes(pairs.items(), config=config).blocks
    return [block.view.of(weight) for block in blocks if block.parameter == f"{fused}.weight"]


def names(layer: str, fused: str, output: str) -> tuple[str, str]:
    return f"{layer}.{fused}", f"{layer}.{output}"


def by_head(weight: Tensor, queries: int) -> list[Tensor]:
    """(groups, queries + 2, side): NeoX and Bloom with one query a group, Falcon with several."""
    apart = weight.reshape(-1, queries + 2, SIDE, WIDTH)
    parts = apart[:, :queries], apart[:, queries], apart[:, queries + 1]
    return [part.reshape(-1, WIDTH) for part in parts]


@pytest.mark.parametrize(
    ("model_type", "count", "where", "queries"),
    [
        ("gpt_neox", "num_attention_heads", ("gpt_neox.layers.0.attention", "dense"), 1),
        ("bloom", "n_head", ("transformer.h.0.self_attention", "dense"), 1),
        ("falcon", "num_attention_heads", ("transformer.h.0.self_attention", "dense"), 2),
        ("falcon", "num_attention_heads", ("transformer.h.0.self_attention", "dense"), 4),
    ],
    ids=["NeoX", "Bloom", "Falcon in groups", "Falcon with one key"],
)
def test_rows_head_by_head(
    model_type: str, count: str, where: tuple[str, str], queries: int
) -> None:
    rows = HEADS // queries * (queries + 2) * SIDE
    found = split(
        names(where[0], "query_key_value", where[1]),
        rows,
        {"model_type": model_type, count: HEADS},
        HEADS * SIDE,
    )
    expected = by_head(torch.arange(rows * WIDTH).reshape(rows, WIDTH), queries)
    assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))


@pytest.mark.parametrize(
    "path",
    [
        names("transformer.blocks.0.attn", "Wqkv", "out_proj"),
        names("transformer.h.0.mixer", "Wqkv", "out_proj"),
        names("model.layers.0.self_attn", "qkv_proj", "o_proj"),
    ],
    ids=["MPT", "Phi", "Phi-3"],
)
@pytest.mark.parametrize("groups", [1, HEADS])
def test_rows_one_after_the_other(path: tuple[str, str], groups: int) -> None:
    sizes = [HEADS * SIDE, groups * SIDE, groups * SIDE]
    found = split(path, sum(sizes), {"n_heads": HEADS}, sizes[0])
    expected = torch.arange(sum(sizes) * WIDTH).reshape(-1, WIDTH).split(sizes)
    assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))


def test_codegen_fuses_queries_values_keys_in_four_parts() -> None:
    path = names("transformer.h.0.attn", "qkv_proj", "out_proj")
    found = split(path, 24, {"model_type": "codegen", "n_head": HEADS}, 8)
    apart = torch.arange(24 * WIDTH).reshape(4, 3, 2, WIDTH)
    expected = [apart[:, at].reshape(8, WIDTH) for at in (0, 2, 1)]
    assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))


def test_latent_keys_and_values_run_head_by_head_with_sizes_of_their_own() -> None:
    key, value = 3, 2
    layer = "model.layers.0.self_attn"
    pairs = {
        f"{layer}.q_a_proj.weight": (5, 8),
        f"{layer}.q_b_proj.weight": (HEADS * 4, 5),
        f"{layer}.kv_a_proj_with_mqa.weight": (7, 8),
        f"{layer}.kv_b_proj.weight": (HEADS * (key + value), 6),
        f"{layer}.o_proj.weight": (8, HEADS * value),
    }
    blocks = blocks_from_shapes(pairs.items(), config={"num_attention_heads": HEADS}).blocks
    weight = torch.arange(HEADS * (key + value) * 6)
    apart = weight.reshape(HEADS, key + value, 6)
    found = {b.name: b.view.of(weight.reshape(-1, 6)) for b in blocks if "kv_b" in b.name}
    assert torch.equal(found[f"{layer}.kv_b_proj.weight[k]"], apart[:, :key].reshape(-1, 6))
    assert torch.equal(found[f"{layer}.kv_b_proj.weight[v]"], apart[:, key:].reshape(-1, 6))


def test_without_a_count_rows_stay_whole_with_the_reason() -> None:
    path = names("gpt_neox.layers.0.attention", "query_key_value", "dense")
    assert len(split(path, 24, {}, 8)) == 1
    pairs = {f"{path[0]}.weight": (24, 6), f"{path[1]}.weight": (6, 8)}
    (whole,) = blocks_from_shapes(pairs.items()).unsplit
    assert whole.reason == "rows run head by head, and no head count was found: pass heads=N"


@pytest.mark.parametrize("count", [0, -1, True, "8", 2.0, None, [4]])
def test_counts_that_are_none(count: Any) -> None:
    assert Architecture({"num_attention_heads": count}).heads() is None


def test_parts_have_their_own_counts() -> None:
    config = {
        "text_config": {"num_attention_heads": 8, "model_type": "Llama"},
        "vision_config": {"num_heads": 2},
        "num_local_experts": 3,
    }
    for whole in (config, SimpleNamespace(**config)):
        architecture = Architecture(whole)
        assert architecture.heads("model.layers.0.self_attn") == 8
        assert architecture.heads("visual.blocks.0.attn") == 2
        assert architecture.model_type("model.layers.0") == "llama"
        assert architecture.experts() == 3
    sides = Architecture({"encoder_attention_heads": 2, "decoder_attention_heads": 4})
    assert sides.heads("model.encoder.layers.0") == 2
    assert sides.heads("model.decoder.layers.0") == 4


def test_head_that_is_declared_to_be_tied_is_no_block() -> None:
    pairs = {"embed_tokens.weight": (11, 4), "lm_head.weight": (11, 4)}
    network = blocks_from_shapes(pairs.items(), config={"tie_word_embeddings": True})
    assert [block.name for block in network.blocks] == ["embed_tokens.weight"]
    reason = "tied to 'embed_tokens.weight', as the configuration says"
    assert [skip.reason for skip in network.skipped] == [reason]
    assert len(blocks_from_shapes(pairs.items()).blocks) == 2
