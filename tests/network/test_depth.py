from __future__ import annotations

import pytest

from spectrain.network.depth import Layering


def depths(*paths: str) -> list[int | None]:
    layering = Layering(paths)
    return [layering.depth(path) for path in paths]


def both(*layers: str) -> list[str]:
    return [f"{layer}.{branch}" for layer in layers for branch in ("attn.q", "mlp.fc1")]


@pytest.mark.parametrize(
    "paths",
    [
        ["blocks.0.attention.query.0", "blocks.0.attention.query.1", "blocks.1.attention.query.0"],
        ["layers.0.mlp.experts.0.w1", "layers.0.mlp.experts.1.w1", "layers.1.mlp.experts.0.w1"],
        ["blocks.0.sa.heads.0.key", "blocks.0.sa.heads.1.key", "blocks.1.sa.heads.0.key"],
        [
            "encoder.block.0.layer.0.SelfAttention.q",
            "encoder.block.0.layer.1.DenseReluDense.wi",
            "encoder.block.1.layer.0.SelfAttention.q",
        ],
        [
            "layers.encoder_layer_0.mlp.0",
            "layers.encoder_layer_0.mlp.3",
            "layers.encoder_layer_1.mlp.0",
        ],
        ["0.body.layers.0.a", "0.body.layers.0.b.x", "0.body.layers.1.a", "0.body.layers.1.b.x"],
    ],
    ids=["list of heads", "experts", "head modules", "sublayers", "number in the name", "wrapped"],
)
def test_inner_numbers_are_not_depth(paths: list[str]) -> None:
    assert depths(*paths)[:2] == [0, 0]
    assert set(depths(*paths)[2:]) == {1}


def test_stages_are_numbered_through() -> None:
    stages = both("layers.0.blocks.0", "layers.0.blocks.1", "layers.1.blocks.0")
    last = both("layers.1.blocks.1")
    assert depths(*stages, *last) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_residual_stages_are_numbered_through_though_the_first_block_has_more() -> None:
    paths = [
        f"layer{stage}.{block}.{name}"
        for stage in (1, 2)
        for block in (0, 1)
        for name in ("conv1", "bn1", "conv2", "bn2")
    ]
    paths.insert(4, "layer1.0.downsample.0")
    expected = [0] * 5 + [1] * 4 + [2] * 4 + [3] * 4
    assert depths(*paths) == expected


def test_two_stacks_count_apart() -> None:
    paths = both("encoder.layers.0", "encoder.layers.1", "decoder.layers.0")
    assert depths(*paths) == [0, 0, 1, 1, 0, 0]


def test_later_part_of_a_pipeline_keeps_its_numbers() -> None:
    assert depths(*both("h.12", "h.13")) == [12, 12, 13, 13]


def test_lists_outside_the_layers_have_no_depth() -> None:
    assert depths("value_embeddings.0", "value_embeddings.1", *both("blocks.0"))[:2] == [None, None]


def test_elements_of_a_plain_sequence_are_layers() -> None:
    assert depths("stem", "net.0", "net.2", "net.4") == [None, 0, 1, 2]


def test_layers_by_path() -> None:
    layering = Layering(["wte", *both("h.0")])
    assert (layering.layer("h.0.attn.q"), layering.layer("wte"), layering.plain) == (
        "h.0",
        None,
        False,
    )
