from __future__ import annotations

from dataclasses import replace

import pytest

from spectrain.core import Role
from spectrain.network import blocks_from_shapes, find_blocks
from support.architectures import ARCHITECTURES, HEADS, VOCABULARY, WIDTH


@pytest.mark.parametrize(
    "name", [name for name in ARCHITECTURES if name not in {"convolutions", "neox", "gpt2"}]
)
def test_checkpoint_has_the_blocks_of_its_model(name: str) -> None:
    model, _ = ARCHITECTURES[name]()
    live = find_blocks(model)
    stored = blocks_from_shapes((key, value.shape) for key, value in model.state_dict().items())
    unfed = [replace(b, literal_input=None, criterion_input=None) for b in live.blocks]
    assert list(stored.blocks) == unfed
    assert sorted(s.parameter for s in stored.skipped) == sorted(s.parameter for s in live.skipped)


def test_tied_head_is_a_block_of_its_own() -> None:
    model, _ = ARCHITECTURES["gpt2"]()
    stored = blocks_from_shapes((key, value.shape) for key, value in model.state_dict().items())
    names = {block.name: block.shape for block in stored.blocks}
    live = {block.name: block.shape for block in find_blocks(model).blocks}
    assert names == live | {"lm_head.weight": (VOCABULARY, WIDTH)}


def test_head_count_sets_interleaved_projections_apart() -> None:
    model, _ = ARCHITECTURES["neox"]()
    shapes = [(key, value.shape) for key, value in model.state_dict().items()]
    stored = blocks_from_shapes(shapes, heads=HEADS)
    assert [b.view for b in stored.blocks] == [
        b.view for b in find_blocks(model, heads=True).blocks
    ]


def test_kinds_that_only_the_code_tells() -> None:
    pairs = {
        "time_embed.0.weight": (4, 8),
        "features.0.weight": (8, 3, 5, 5),
        "features.0.bias": (8,),
        "features.1.weight": (8,),
        "features.1.running_mean": (8,),
        "features.1.num_batches_tracked": (),
        "embeddings.position_ids": (1, 64),
        "attn.bias": (1, 1, 6, 6),
        "moe.experts.w1": (4, 3, 2),
        "rnn.weight_hh_l0": (12, 3),
        "nothing.weight": (0, 4),
    }
    network = blocks_from_shapes(pairs.items())
    assert {block.name: (block.role, block.shape) for block in network.blocks} == {
        "features.0.weight": (Role.CONV, (8, 75)),
        "features.1.weight": (Role.NORM, (8, 8)),
        **{f"moe.experts.w1[expert {i}]": (Role.EXPERT_GATE, (3, 2)) for i in range(4)},
        **{f"rnn.weight_hh_l0[{g}]": (Role.RECURRENT_HIDDEN, (3, 3)) for g in "ifgo"},
        "time_embed.0.weight": (Role.OTHER, (4, 8)),
    }
    assert {skip.parameter: skip.reason for skip in network.skipped} == {
        "features.0.bias": "1-D bias",
        "features.1.running_mean": "buffer",
        "features.1.num_batches_tracked": "buffer",
        "embeddings.position_ids": "buffer",
        "attn.bias": "4-D bias",
        "nothing.weight": "empty",
    }


def test_names_are_data() -> None:
    names = ["", ".", "..weight", "0", "a..b.weight", "x" * 5000, "<script>", "1.2.3.4.weight"]
    network = blocks_from_shapes([(name, (4, 5)) for name in names])
    assert sorted(block.parameter for block in network.blocks) == sorted(names)


def test_stacked_experts_face_the_stream() -> None:
    pairs = {
        "embed.weight": (50, 6),
        "layers.0.experts.gate_up_proj": (2, 6, 16),
        "layers.0.experts.down_proj": (2, 8, 6),
        "layers.1.experts.gate_up_proj": (2, 16, 6),
        "layers.1.experts.down_proj": (2, 6, 8),
    }
    shapes = {block.name: block.shape for block in blocks_from_shapes(pairs.items()).blocks}
    for layer in (0, 1):
        for part in ("gate", "in"):
            assert shapes[f"layers.{layer}.experts.gate_up_proj[expert 1.{part}]"] == (8, 6)
        assert shapes[f"layers.{layer}.experts.down_proj[expert 1]"] == (6, 8)
