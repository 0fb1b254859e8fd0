"""What feeds a block, read off a module's arguments: one row for each column of the activation A.

Every function is pure: a module's weights and buffers, and the random state, are as before.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils.rnn import PackedSequence

from spectrain.core import Feed, InputError, Tap, View
from spectrain.core.torch_private import StatisticsNorm, padding_of
from spectrain.network.names import GAINS

_CHANNELS_FIRST = (nn.GroupNorm, StatisticsNorm)


@torch.no_grad()
def activation(
    feed: Feed, module: nn.Module, arguments: tuple[Any, ...]
) -> Shaped[Tensor, "n d"] | Shaped[Tensor, " n"]:
    """Aᵀ (columns × features) of a block's feed; the integer ids (n) where the tap is ``TOKENS``.

    The result shares memory with the arguments where torch allows it: do not write to it. With
    ids, A is the indicator matrix, of which only the counts matter: st(A) = n / max count.

    Args:
        feed: which activation.
        module: the module named by ``feed.module``.
        arguments: those of its forward, by position.

    Raises:
        InputError: the forward was called without the tensor that the feed names.

    Example:
        >>> layer = nn.Linear(4, 2, bias=False)
        >>> x = torch.randn(3, 5, 4)
        >>> A = activation(Feed("layer"), layer, (x,)).mT
        >>> torch.allclose(layer(x).flatten(0, -2).mT, layer.weight @ A)
        True
    """
    x = _argument(feed, arguments)
    match feed.tap:
        case Tap.STATES | Tap.STATES_BACK:
            raise InputError(
                f"the states of {feed.module!r} are read from its output",
                remedy="see spectrain.network.states",
            )
        case Tap.TOKENS:
            return x.reshape(-1)
        case Tap.UNFOLDED:
            matrix = unfolded(module, x)
        case Tap.NORMALIZED:
            matrix = normalized(module, arguments)
        case Tap.INPUT:
            matrix = x.reshape(-1, x.shape[-1])
    return View(columns=feed.columns).of(matrix)


def _argument(feed: Feed, arguments: tuple[Any, ...]) -> Tensor:
    value = arguments[feed.argument] if feed.argument < len(arguments) else None
    if isinstance(value, PackedSequence):
        value = value.data
    if not isinstance(value, Tensor):
        raise InputError(
            f"argument {feed.argument} of {feed.module!r} is {type(value).__name__}, not a tensor",
            remedy="pass it by position, or leave the blocks of this module out",
        )
    return value.detach()


def unfolded(module: nn.Module, x: Shaped[Tensor, "*shape"]) -> Shaped[Tensor, "n d"]:
    """Patches that a convolution multiplies, ordered by image, group and position.

    A row holds (input channels / groups) · (kernel size) numbers, as the rows of
    ``weight.flatten(1)`` do. A transposed convolution multiplies single positions: a row holds
    its input channels.

    Args:
        module: the convolution.
        x: its input, (images ×) channels × positions.

    Example:
        >>> conv = nn.Conv1d(1, 2, kernel_size=3)
        >>> unfolded(conv, torch.arange(5.0).reshape(1, 1, 5)).tolist()
        [[0.0, 1.0, 2.0], [1.0, 2.0, 3.0], [2.0, 3.0, 4.0]]
    """
    conv: Any = module
    space = len(conv.kernel_size)
    if x.ndim == space + 1:
        x = x.unsqueeze(0)
    if conv.transposed:
        return x.movedim(1, -1).flatten(0, -2)
    padding = padding_of(conv)
    if any(padding):
        mode = "constant" if conv.padding_mode == "zeros" else conv.padding_mode
        x = nn.functional.pad(x, padding, mode)
    sizes = zip(conv.kernel_size, conv.dilation, conv.stride, strict=True)
    for axis, (size, dilation, stride) in enumerate(sizes, start=2):
        x = x.unfold(axis, dilation * (size - 1) + 1, stride)[..., ::dilation]
    x = x.unflatten(1, (conv.groups, -1)).movedim(2, space + 2)
    return x.flatten(space + 2).flatten(0, space + 1)


def normalized(module: nn.Module, arguments: tuple[Any, ...]) -> Shaped[Tensor, "n d"]:
    """The input of a norm layer after normalisation and before its gain γ.

    The layer's forward f is affine in γ, so that A = f(γ = 1) − f(γ = 0) whatever the layer does;
    it is evaluated on copies of the buffers, since a batch norm updates its own.

    Example:
        >>> norm = nn.RMSNorm(4, eps=0.0)
        >>> normalized(norm, (torch.tensor([[3.0, -3.0, 3.0, 3.0]]),))
        tensor([[ 1., -1.,  1.,  1.]])
    """
    weights = {name: _plain(p) for name, p in module.named_parameters(recurse=False)}
    gain = next(name for name in weights if name in GAINS)
    buffers = {f"module.{name}": buffer.clone() for name, buffer in module.named_buffers()}

    others = {f"module.{name}": weight for name, weight in weights.items()}

    def at(value: float) -> Tensor:
        gains = {f"module.{gain}": torch.full_like(weights[gain], value)}
        output: Tensor = functional_call(_WithoutHooks(module), others | buffers | gains, arguments)
        return output

    output = at(1.0) - at(0.0)
    if isinstance(module, _CHANNELS_FIRST) or output.shape[-1] != weights[gain].shape[-1]:
        output = output.movedim(1, -1)
    return output.reshape(-1, weights[gain].numel())


def _plain(parameter: nn.Parameter) -> Tensor:
    """The local part of a parameter that tensor parallelism replicates, or the parameter."""
    local = getattr(parameter, "to_local", None)
    return parameter if local is None else local()


class _WithoutHooks(nn.Module):
    """Calls a module's forward but not its hooks: one of them is the caller."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *arguments: Any) -> Any:
        return self.module.forward(*arguments)
