"""Blocks and the views that cut them out of parameters."""

from __future__ import annotations

import json

import pytest
import torch

from spectrain.core import Block, Feed, Role, Tap, View

PLAIN = Block("mlp.weight", Role.MLP_IN, 0, (3, 2), "mlp.weight")
RICH = Block(
    name="layers.1.attention.weight[q.head 1]",
    role=Role.ATTENTION_Q,
    depth=1,
    shape=(4, 8),
    parameter="layers.1.attention.weight",
    view=View(index=2, transpose=True, rows=((0, 2), (4, 6)), columns=((1, 9),)),
    aliases=("tied.weight",),
    literal_input=Feed("layers.1.attention", Tap.NORMALIZED, 1, ((0, 8),)),
    criterion_input=Feed("layers.1.norm", Tap.TOKENS),
)


class TestView:
    def test_plain_view_is_the_parameter_itself(self) -> None:
        parameter = torch.arange(6.0).reshape(2, 3)
        assert View().of(parameter) is parameter

    def test_order_is_index_flatten_transpose_ranges(self) -> None:
        parameter = torch.arange(2 * 4 * 3 * 5.0).reshape(2, 4, 3, 5)
        view = View(index=1, transpose=True, rows=((2, 5),), columns=((0, 1), (3, 4)))
        expected = parameter[1].reshape(4, 15).T[2:5][:, [0, 3]]
        assert view.of(parameter).equal(expected)

    def test_convolution_is_flattened_by_output(self) -> None:
        convolution = torch.nn.Conv2d(3, 4, 5)
        patches = torch.nn.functional.unfold(torch.ones(1, 3, 7, 7), 5)
        matrix = View().of(convolution.weight)
        expected = convolution(torch.ones(1, 3, 7, 7)).flatten(2)
        product = matrix @ patches + convolution.bias[:, None]
        torch.testing.assert_close(product, expected)

    def test_one_range_shares_memory(self) -> None:
        parameter = torch.zeros(6, 2)
        View(rows=((2, 4),)).of(parameter).fill_(1.0)
        assert parameter.sum(1).tolist() == [0, 0, 2, 2, 0, 0]

    def test_several_ranges_are_stacked(self) -> None:
        parameter = torch.arange(12.0).reshape(6, 2)
        assert View(rows=((0, 1), (4, 6))).of(parameter).equal(parameter[[0, 4, 5]])

    def test_diagonal_stays_a_vector(self) -> None:
        assert View(diagonal=True).of(torch.ones(3, 1)).shape == (3,)


class TestBlock:
    @pytest.mark.parametrize("block", [PLAIN, RICH], ids=["plain", "rich"])
    def test_survives_a_round_trip_through_json(self, block: Block) -> None:
        assert Block.from_dict(json.loads(json.dumps(block.to_dict()))) == block

    def test_roles_are_written_by_name(self) -> None:
        assert json.loads(json.dumps(RICH.to_dict()))["role"] == "attention.q"

    def test_can_be_a_key(self) -> None:
        assert {PLAIN: 1, RICH: 2}[RICH] == 2
