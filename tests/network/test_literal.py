"""Views and taps together: W A is what the module computes before its bias."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from spectrain.core import Block, Feed, Tap
from spectrain.network import activation, find_blocks
from spectrain.network.states import hidden_states
from support.architectures import ARCHITECTURES, Conv1D, LayerNorm2d, RMSNorm, mix

Call = tuple[tuple[Any, ...], Any]
TOLERANCE: dict[str, Any] = {"rtol": 1e-10, "atol": 1e-11}

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d)
CHANNELS_FIRST = (nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm, nn.InstanceNorm2d, LayerNorm2d)


@pytest.mark.parametrize("heads", [False, True])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_matrix_times_activation_is_output(name: str, heads: bool) -> None:
    model, inputs = _double(name)
    network = find_blocks(model, heads=heads)
    calls = _observe(model, inputs)
    by_parameter = defaultdict(list)
    for block in network.blocks:
        if block.literal_input is not None:
            by_parameter[block.literal_input.module, block.parameter].append(block)
    compared = 0
    for (path, _), blocks in by_parameter.items():
        module = model.get_submodule(path)
        assert path in calls
        if not isinstance(module, nn.MultiheadAttention):
            arguments, output = calls[path]
            predicted = _predict(model, module, blocks, arguments, output)
            torch.testing.assert_close(predicted, _before_bias(module, output), **TOLERANCE)
            compared += 1
    assert compared >= 6


@pytest.mark.parametrize("heads", [False, True])
@pytest.mark.parametrize("name", ["torch_encoder", "torch_decoder"])
def test_multihead_attention_rebuilt_from_its_blocks(name: str, heads: bool) -> None:
    model, inputs = _double(name)
    blocks = find_blocks(model, heads=heads).blocks
    attentions = {
        path: module
        for path, module in model.named_modules()
        if isinstance(module, nn.MultiheadAttention)
    }
    calls = _observe(model, inputs)
    for path, module in attentions.items():
        arguments, (output, _) = calls[path]
        made = []
        for letter, source in zip("qkv", arguments, strict=False):
            own = [b for b in blocks if b.parameter.startswith(path) and b.role.value[-1] == letter]
            parts = [_matrix(model, b) @ _columns(model, b, arguments) for b in own]
            made.append(torch.cat(parts).mT.reshape(*source.shape[:-1], -1))
        made = [m + b for m, b in zip(made, module.in_proj_bias.chunk(3), strict=True)]
        query, key, value = (m if module.batch_first else m.transpose(0, 1) for m in made)
        mixed = mix(query, key, value)
        mixed = mixed if module.batch_first else mixed.transpose(0, 1)
        outputs = [b for b in blocks if b.parameter == f"{path}.out_proj.weight"]
        weight = torch.cat([_matrix(model, block) for block in outputs], dim=1)
        rebuilt = mixed @ weight.mT + module.out_proj.bias
        torch.testing.assert_close(rebuilt, output, **TOLERANCE)


def test_recurrent_input_matrix() -> None:
    # One step from the state 0: the output is tanh(W x + biases).
    model = nn.RNN(5, 3).double()
    blocks = {block.name: block for block in find_blocks(model).blocks}
    x = torch.randn(1, 4, 5, dtype=torch.float64)
    block = blocks["weight_ih_l0"]
    predicted = block.view.of(model.get_parameter("weight_ih_l0")) @ _columns(model, block, (x,))
    expected = model(x)[0].flatten(0, 1).atanh() - model.bias_ih_l0 - model.bias_hh_l0
    torch.testing.assert_close(predicted.mT, expected, **TOLERANCE)


def test_recurrent_hidden_matrix() -> None:
    # Several steps: what is left of the output's argument is W of the state before.
    model = nn.RNN(5, 3).double()
    blocks = {block.name: block for block in find_blocks(model).blocks}
    x = torch.randn(3, 4, 5, dtype=torch.float64)
    first = torch.rand(1, 4, 3, dtype=torch.float64)
    output = model(x, first)
    feed = blocks["weight_hh_l0"].literal_input
    assert feed == Feed("", Tap.STATES)
    states = hidden_states(feed.tap, model, (x, first), output)
    biases = model.bias_ih_l0 + model.bias_hh_l0
    left = output[0].atanh() - x @ model.weight_ih_l0.mT - biases
    expected = left.roll(-1, 0).flatten(0, 1)  # the initial state is the last of the states
    torch.testing.assert_close(states @ model.weight_hh_l0.mT, expected, **TOLERANCE)


def test_states_of_lower_layers_are_not_seen() -> None:
    blocks = {block.name: block for block in find_blocks(nn.RNN(5, 3, num_layers=2)).blocks}
    assert blocks["weight_hh_l0"].literal_input is None
    assert blocks["weight_hh_l1"].literal_input == Feed("", Tap.STATES)


def _double(name: str) -> tuple[nn.Module, tuple[Tensor, ...]]:
    torch.manual_seed(0)
    model, inputs = ARCHITECTURES[name]()
    return model.double(), tuple(x.double() if x.is_floating_point() else x for x in inputs)


def _observe(model: nn.Module, inputs: tuple[Tensor, ...]) -> dict[str, Call]:
    calls: dict[str, Call] = {}

    def keep(path: str) -> Any:
        def hook(_: nn.Module, arguments: tuple[Any, ...], output: Any) -> None:
            calls[path] = (arguments, output)

        return hook

    handles = [module.register_forward_hook(keep(path)) for path, module in model.named_modules()]
    model(*inputs)
    for handle in handles:
        handle.remove()
    return calls


def _matrix(model: nn.Module, block: Block) -> Tensor:
    return block.view.of(model.get_parameter(block.parameter))


def _columns(model: nn.Module, block: Block, arguments: tuple[Any, ...]) -> Tensor:
    """A, features × columns."""
    feed = block.literal_input
    assert feed is not None
    found = activation(feed, model.get_submodule(feed.module), arguments)
    if feed.tap is Tap.TOKENS:
        found = functional.one_hot(found, block.shape[1]).double()
    assert not found.requires_grad
    return found.mT


def _predict(
    model: nn.Module,
    module: nn.Module,
    blocks: Iterable[Block],
    arguments: tuple[Any, ...],
    output: Tensor,
) -> Tensor:
    """Rows of one parameter's blocks put in place; columns of them summed."""
    products: dict[int, Tensor] = {}
    for block in blocks:
        matrix, columns = _matrix(model, block), _columns(model, block, arguments)
        if block.view.diagonal:
            matrix = torch.diag(matrix + getattr(module, "offset", 0.0))
        assert matrix.shape == block.shape
        rows = block.view.rows or ((0, block.shape[0]),)
        indices = [index for start, stop in rows for index in range(start, stop)]
        for index, row in zip(indices, matrix @ columns, strict=True):
            products[index] = products.get(index, torch.zeros(())) + row
    product = torch.stack([products[index] for index in sorted(products)])
    if isinstance(module, CONVOLUTIONS):
        return _own_group(product, module, output)
    if isinstance(module, TRANSPOSED):
        return _folded(product, module, arguments[0], output)
    return product


def _own_group(product: Tensor, module: Any, output: Tensor) -> Tensor:
    """Of a convolution's product with the patches of all groups, each output's own group."""
    apart = product.reshape(len(product), len(output), module.groups, -1)
    height = len(product) // module.groups
    return torch.stack([row[:, i // height] for i, row in enumerate(apart)]).flatten(1)


def _folded(product: Tensor, module: Any, x: Tensor, output: Tensor) -> Tensor:
    """The patches of a transposed convolution, added up where they overlap."""
    patches = product.unflatten(1, (len(x), -1)).transpose(0, 1)

    def flat(sizes: Iterable[int], missing: int) -> tuple[int, int]:
        two = (missing, *sizes)[-2:]
        return two[0], two[1]

    return functional.fold(
        patches,
        flat(output.shape[2:], 1),
        flat(module.kernel_size, 1),
        flat(module.dilation, 1),
        flat(module.padding, 0),
        flat(module.stride, 1),
    ).transpose(0, 1).flatten(1)  # fmt: skip


def _before_bias(module: nn.Module, output: Tensor) -> Tensor:
    """Outputs × columns."""
    bias = getattr(module, "bias", None)
    if isinstance(module, (*CONVOLUTIONS, *TRANSPOSED, *CHANNELS_FIRST)):
        output = output.movedim(1, -1)
    else:
        assert isinstance(
            module, (nn.Linear, nn.Embedding, nn.LayerNorm, nn.RMSNorm, Conv1D, RMSNorm)
        )
    if bias is not None:
        output = output - bias
    return output.reshape(-1, output.shape[-1]).mT
