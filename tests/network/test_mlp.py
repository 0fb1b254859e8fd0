"""What is an MLP, and what only looks like one; on names and shapes."""

from __future__ import annotations

import pytest

from spectrain.core import Role
from spectrain.network import blocks_from_shapes

IN, GATE, OUT, OTHER = Role.MLP_IN, Role.MLP_GATE, Role.MLP_OUT, Role.OTHER
HIDDEN, HEAD = Role.HIDDEN, Role.HEAD


def roles(*pairs: tuple[str, tuple[int, int]]) -> list[Role]:
    return [b.role for b in blocks_from_shapes((f"{n}.weight", s) for n, s in pairs).blocks]


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([("first", (32, 8)), ("second", (8, 32))], [IN, OUT]),
        ([("second", (8, 32)), ("first", (32, 8))], [OTHER, OTHER]),
        ([("a", (32, 8)), ("b", (32, 8)), ("c", (8, 32))], [GATE, IN, OUT]),
        ([("a", (32, 8)), ("my_gate", (32, 8)), ("c", (8, 32))], [IN, GATE, OUT]),
        ([("a", (64, 8)), ("c", (8, 32))], [GATE, IN, OUT]),
        ([("adapter_down", (4, 8)), ("adapter_up", (8, 4))], [OTHER, OTHER]),
        ([("a", (8, 8)), ("b", (8, 8))], [OTHER, OTHER]),
        ([("a", (32, 8)), ("b", (16, 32))], [OTHER, OTHER]),
        ([("a", (8, 8)), ("b", (8, 8)), ("c", (8, 8))], [OTHER, OTHER, OTHER]),
    ],
)
def test_by_shape(pairs: list[tuple[str, tuple[int, int]]], expected: list[Role]) -> None:
    assert roles(*((f"layers.0.block.{name}", shape) for name, shape in pairs)) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("fc1 fc2", [IN, OUT]),
        ("c_fc c_proj", [IN, OUT]),
        ("w1 w2", [IN, OUT]),
        ("w1 w2 w3", [GATE, OUT, IN]),
        ("wi_0 wi_1 wo", [GATE, IN, OUT]),
        ("gate_proj up_proj down_proj", [GATE, IN, OUT]),
        ("fc_gate fc_in fc_out", [GATE, IN, OUT]),
        ("intermediate.dense output.dense", [IN, OUT]),
    ],
)
def test_by_name_where_shapes_do_not_tell(names: str, expected: list[Role]) -> None:
    assert roles(*((f"layers.0.{name}", (8, 8)) for name in names.split())) == expected


def test_names_need_shapes_that_return_to_the_width() -> None:
    assert roles(("fc1", (120, 400)), ("fc2", (84, 120)), ("fc3", (10, 84))) == [
        *(Role.HIDDEN, Role.HIDDEN, Role.HEAD)
    ]


def test_shapes_alone_do_not_make_an_mlp_outside_the_layers() -> None:
    layer = [("layers.0.mlp.fc1", (32, 8)), ("layers.0.mlp.fc2", (8, 32))]
    outside = [("project_in", (8, 4)), ("project_out", (4, 8))]
    assert roles(*layer, *outside) == [IN, OUT, OTHER, OTHER]


def test_two_in_one_layer() -> None:
    one, two = (
        [(f"blocks.0.{name}.fc1", (4 * n, n)), (f"blocks.0.{name}.fc2", (n, 4 * n))]
        for name, n in (("tokens", 6), ("channels", 8))
    )
    assert roles(*one, *two) == [IN, OUT, IN, OUT]


def test_router_is_no_gate_and_shared_expert_is_an_mlp() -> None:
    shared = [(f"layers.0.mlp.shared_expert.{n}_proj", (32, 8)) for n in ("gate", "up")]
    down = ("layers.0.mlp.shared_expert.down_proj", (8, 32))
    router = ("layers.0.mlp.gate", (5, 8))
    assert roles(router, *shared, down) == [OTHER, GATE, IN, OUT]
