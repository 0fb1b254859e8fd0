"""Hidden states against cells that are stepped one by one."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from spectrain.core import Feed, Tap
from spectrain.network import find_blocks
from spectrain.network.states import hidden_states

SIZE, WIDTH, TIME, BATCH = 3, 4, 5, 2


def stepped(layer: nn.LSTM, x: Tensor, h: Tensor, c: Tensor, suffix: str) -> Tensor:
    """The states that one sequence's W_hh multiplies; x (time × inputs) in the order of reading."""
    cell = nn.LSTMCell(x.shape[-1], WIDTH)
    for name, parameter in cell.named_parameters():
        parameter.data = layer.get_parameter(f"{name}_l0{suffix}").data
    multiplied = []
    for row in x:
        multiplied.append(h)
        h, c = cell(row, (h, c))
    return torch.stack(multiplied)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("packed", [True, False])
def test_states_of_both_directions(batch_first: bool, given: bool, packed: bool) -> None:
    torch.manual_seed(0)
    layer = nn.LSTM(SIZE, WIDTH, bidirectional=True, batch_first=batch_first)
    x = torch.randn(BATCH, TIME, SIZE)
    lengths = [TIME, 3] if packed else [TIME] * BATCH
    start = (torch.randn(2, BATCH, WIDTH), torch.randn(2, BATCH, WIDTH))
    h, c = start if given else (torch.zeros(2, BATCH, WIDTH),) * 2
    arguments: tuple[Any, ...] = (x if batch_first else x.transpose(0, 1),)
    if packed:
        arguments = (pack_padded_sequence(arguments[0], torch.tensor(lengths), batch_first),)
    arguments += (start,) if given else ()
    output = layer(*arguments)
    for at, (tap, suffix) in enumerate(((Tap.STATES, ""), (Tap.STATES_BACK, "_reverse"))):
        rows = []
        for one, length in enumerate(lengths):
            sequence = x[one, :length].flip(0) if at else x[one, :length]
            rows.append(stepped(layer, sequence, h[at, one], c[at, one], suffix))
        expected = torch.cat(rows)
        found = hidden_states(tap, layer, arguments, output)
        assert found.shape == expected.shape
        # measured error 2e-7: float32 cells against the fused kernel
        assert torch.allclose(found.mT @ found, expected.mT @ expected, atol=2e-6)


def test_only_the_last_layer_tells_its_states() -> None:
    blocks = find_blocks(nn.GRU(3, 4, num_layers=2, bidirectional=True)).blocks
    fed = {b.parameter: b.literal_input for b in blocks if "_hh_" in b.parameter}
    assert fed == {
        "weight_hh_l0": None,
        "weight_hh_l0_reverse": None,
        "weight_hh_l1": Feed("", Tap.STATES),
        "weight_hh_l1_reverse": Feed("", Tap.STATES_BACK),
    }
