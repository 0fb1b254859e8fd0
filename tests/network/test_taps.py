from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_sequence

from spectrain.core import Feed, InputError, Tap
from spectrain.network import activation, find_blocks
from spectrain.network.taps import normalized, unfolded
from support.architectures import ARCHITECTURES, RMSNorm


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_reading_leaves_the_model_as_it_was(name: str) -> None:
    model, inputs = ARCHITECTURES[name]()
    calls = 0

    def count(module: nn.Module, arguments: tuple[object, ...]) -> None:
        nonlocal calls
        calls += 1
        before = {key: value.clone() for key, value in model.state_dict().items()}
        parameters = dict(model.named_parameters())
        draws = torch.get_rng_state()
        for feed in feeds[module]:
            activation(feed, module, arguments)
        assert torch.equal(torch.get_rng_state(), draws)
        assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
        assert all(parameters[k] is v for k, v in model.named_parameters())

    feeds: dict[nn.Module, list[Feed]] = {}
    for block in find_blocks(model).blocks:
        for feed in {block.literal_input, block.criterion_input} - {None}:
            assert feed is not None
            feeds.setdefault(model.get_submodule(feed.module), []).append(feed)
    used = dict.fromkeys(feeds, 0)
    for module in feeds:
        module.register_forward_hook(lambda m, *_: used.update({m: used[m] + 1}))
        module.register_forward_pre_hook(count)
    model(*inputs)
    assert calls == sum(used.values()) > 0  # the taps themselves fire no hook


def test_inputs_are_not_copied() -> None:
    x = torch.randn(2, 3, 4, requires_grad=True)
    found = activation(Feed("layer"), nn.Linear(4, 5), (x,))
    assert found.shape == (6, 4)
    assert found.data_ptr() == x.data_ptr()
    assert not found.requires_grad


def test_columns_select_features() -> None:
    x = torch.arange(12.0).reshape(2, 6)
    feed = Feed("layer", columns=((0, 1), (4, 6)))
    assert activation(feed, nn.Linear(6, 2), (x,)).tolist() == [[0, 4, 5], [6, 10, 11]]


def test_argument_is_chosen() -> None:
    x, y = torch.zeros(2, 3), torch.ones(4, 3)
    assert torch.equal(activation(Feed("a", argument=1), nn.Identity(), (x, y)), y)


@pytest.mark.parametrize("arguments", [(), (None,), ([1, 2],)])
def test_missing_tensor_is_an_input_error(arguments: tuple[object, ...]) -> None:
    with pytest.raises(InputError, match="argument 0 of 'a' is"):
        activation(Feed("a"), nn.Identity(), arguments)


def test_tokens_come_as_flat_ids() -> None:
    ids = torch.tensor([[3, 1], [1, 0]])
    found = activation(Feed("table", Tap.TOKENS), nn.Embedding(5, 2), (ids,))
    assert found.tolist() == [3, 1, 1, 0]


def test_packed_sequences_give_their_steps() -> None:
    packed = pack_sequence([torch.randn(3, 5), torch.randn(2, 5)])
    assert activation(Feed("lstm"), nn.LSTM(5, 2), (packed,)).shape == (5, 5)


@given(
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    dilation=st.integers(1, 2),
)
def test_unfolded_agrees_with_torch(kernel: int, stride: int, padding: int, dilation: int) -> None:
    conv = nn.Conv2d(2, 1, kernel, stride, padding, dilation)
    x = torch.randn(3, 2, 7, 6)
    expected = functional.unfold(x, kernel, dilation, padding, stride)
    assert torch.equal(unfolded(conv, x), expected.mT.flatten(0, 1))


def test_unfolded_takes_a_single_image() -> None:
    conv, x = nn.Conv2d(2, 3, 2), torch.randn(1, 2, 4, 4)
    assert torch.equal(unfolded(conv, x[0]), unfolded(conv, x))


def test_convolution_without_overlap_is_not_copied_needlessly() -> None:
    conv, x = nn.Conv1d(4, 3, 1), torch.randn(1, 4, 9)
    assert unfolded(conv, x).data_ptr() == x.data_ptr()


@pytest.mark.parametrize("training", [True, False])
def test_normalized_batch_norm(training: bool) -> None:
    norm = nn.BatchNorm2d(3).train(training)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    assert norm.running_mean is not None
    norm.running_mean += 1
    x = torch.randn(4, 3, 5, 3)  # as wide as it has channels
    mean = x.mean((0, 2, 3)) if training else norm.running_mean.clone()
    variance = x.var((0, 2, 3), correction=0) if training else torch.ones(3)
    expected = (x.movedim(1, -1) - mean) / (variance + norm.eps).sqrt()
    found = normalized(norm, (x,))
    torch.testing.assert_close(found, expected.reshape(-1, 3), rtol=1e-5, atol=1e-5)


def test_normalized_layer_norm_over_several_dimensions() -> None:
    norm = nn.LayerNorm((2, 3))
    found = normalized(norm, (torch.randn(5, 4, 2, 3),))
    assert found.shape == (20, 6)
    torch.testing.assert_close(found.mean(1), torch.zeros(20), atol=1e-6, rtol=0)


def test_normalized_ignores_how_the_gain_is_stored() -> None:
    x = torch.randn(7, 8)
    torch.testing.assert_close(
        normalized(RMSNorm(8), (x,)), normalized(RMSNorm(8, offset=1.0), (x,))
    )


def test_stable_rank_of_normalized_rows_sees_no_gain() -> None:
    norm = RMSNorm(8)
    found = normalized(norm, (torch.randn(7, 8),))
    assert math.isclose(found.square().mean(), 1.0, rel_tol=1e-6)
