"""What is an attention, and what only looks like one; on names and shapes."""

from __future__ import annotations

import pytest

from spectrain.core import Role
from spectrain.network import blocks_from_shapes

Q, K, V = Role.ATTENTION_Q, Role.ATTENTION_K, Role.ATTENTION_V
MIX = Role.ATTENTION_O
SQUARE = (8, 8)


def roles(shapes: dict[str, tuple[int, ...]]) -> dict[str, Role]:
    blocks = blocks_from_shapes((f"{name}.weight", shape) for name, shape in shapes.items()).blocks
    return {block.name.replace(".weight", ""): block.role for block in blocks}


@pytest.mark.parametrize(
    "names",
    [
        "attn.q_proj attn.k_proj attn.v_proj attn.out_proj",
        "attention.wq attention.wk attention.wv attention.wo",
        "self_attention.attention.query self_attention.attention.key "
        "self_attention.attention.value self_attention.output.dense",
        "attn1.to_q attn1.to_k attn1.to_v attn1.to_out.0",
        "attention.q_lin attention.k_lin attention.v_lin attention.out_lin",
        "attn_q attn_k attn_v attn_output",
        "attn.linear_q attn.linear_k attn.linear_v attn.linear_out",
        "attn.lin_q attn.lin_k attn.lin_v attn.lin_out",
        "attn.queries attn.keys attn.values attn.fc_out",
        "attn.q_attn attn.k_attn attn.v_attn attn.proj",
    ],
)
def test_names_of_separate_projections(names: str) -> None:
    paths = [f"blk.0.{name}" for name in names.split()]
    assert list(roles(dict.fromkeys(paths, SQUARE)).values()) == [Q, K, V, MIX]


def test_output_is_what_remains_whatever_its_name() -> None:
    paths = ("query", "key", "value", "recombine")
    found = roles({f"layers.0.attn.{name}": SQUARE for name in paths})
    assert found["layers.0.attn.recombine"] is MIX


def test_output_is_not_guessed_among_several() -> None:
    paths = ("query", "key", "value", "first", "second")
    found = roles({f"layers.0.attn.{name}": SQUARE for name in paths})
    assert found["layers.0.attn.first"] is found["layers.0.attn.second"] is Role.OTHER


def test_output_takes_as_many_inputs_as_there_are_queries() -> None:
    inputs = dict.fromkeys(("query", "key", "value"), (6, 8))
    shapes = inputs | {"extra": (6, 8), "recombine": (8, 6)}
    found = roles({f"layers.0.attn.{name}": shape for name, shape in shapes.items()})
    assert found["layers.0.attn.recombine"] is MIX
    assert found["layers.0.attn.extra"] is Role.OTHER


def test_fused_projection_by_shape_whatever_its_name() -> None:
    found = roles({"layers.0.mixer.first": (24, 8), "layers.0.mixer.second": (8, 8)})
    assert found == {
        "layers.0.mixer.first[q]": Q,
        "layers.0.mixer.first[k]": K,
        "layers.0.mixer.first[v]": V,
        "layers.0.mixer.second": MIX,
    }


def test_keys_and_values_fused_beside_queries() -> None:
    found = roles({"attn.to_q": (8, 8), "attn.to_kv": (16, 8), "attn.to_out.0": (8, 8)})
    assert found == {"attn.to_q": Q, "attn.to_kv[k]": K, "attn.to_kv[v]": V, "attn.to_out.0": MIX}


def test_one_module_for_each_head() -> None:
    heads = {
        f"blocks.0.sa.heads.{head}.{name}": (4, 8)
        for head in range(2)
        for name in ("key", "query", "value")
    }
    found = roles({**heads, "blocks.0.sa.proj": (8, 8)})
    assert list(found.values()) == [K, Q, V, K, Q, V, MIX]


def test_layer_that_holds_attention_and_mlp_directly() -> None:
    attention = dict.fromkeys(("attn_q", "attn_k", "attn_v", "attn_output"), SQUARE)
    mlp = {"ffn_gate": (32, 8), "ffn_up": (32, 8), "ffn_down": (8, 32)}
    found = roles({f"blk.3.{name}": shape for name, shape in (attention | mlp).items()})
    assert list(found.values()) == [Q, K, V, MIX, Role.MLP_GATE, Role.MLP_IN, Role.MLP_OUT]


@pytest.mark.parametrize(
    "shapes",
    [
        {"att.receptance": SQUARE, "att.key": SQUARE, "att.value": SQUARE, "att.output": SQUARE},
        {"mixer.in_proj": (32, 8), "mixer.x_proj": (5, 16), "mixer.out_proj": (8, 16)},
        {"policy": (3, 8), "value": (1, 8)},
        {"query": SQUARE, "out": SQUARE},
        {"to_kv": (12, 8), "out": SQUARE},
    ],
    ids=["RWKV", "Mamba", "actor-critic", "no keys", "no queries"],
)
def test_what_is_no_attention(shapes: dict[str, tuple[int, ...]]) -> None:
    found = roles({f"blocks.0.{name}": shape for name, shape in shapes.items()})
    assert set(found.values()) == {Role.OTHER}
