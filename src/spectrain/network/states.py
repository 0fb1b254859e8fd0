"""The hidden states that a recurrent layer multiplies, from its arguments and its output."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from spectrain.core import Tap

STATES = frozenset({Tap.STATES, Tap.STATES_BACK})
"""Taps that need the output of a module."""


@torch.no_grad()
def hidden_states(
    tap: Tap, module: nn.Module, arguments: tuple[Any, ...], output: Any
) -> Float[Tensor, "n d"]:
    """What W_hh of the last layer multiplies: the initial state, and all outputs but the last.

    Args:
        tap: which direction in time.
        module: an ``nn.RNN``, ``nn.LSTM`` or ``nn.GRU``.
        arguments: those of its forward, by position.
        output: what it returned.

    Example:
        >>> rnn = nn.RNN(2, 3, batch_first=True)
        >>> x = torch.randn(4, 5, 2)
        >>> states = hidden_states(Tap.STATES, rnn, (x,), rnn(x))
        >>> torch.equal(states[:16], rnn(x)[0][:, :-1].flatten(0, 1)), states.shape
        (True, torch.Size([20, 3]))
    """
    rnn: Any = module
    back = tap is Tap.STATES_BACK
    whole = output[0]
    values = whole.data if isinstance(whole, PackedSequence) else whole
    width = values.shape[-1] // (2 if rnn.bidirectional else 1)
    values = values.detach()[..., width:] if back else values.detach()[..., :width]
    if isinstance(whole, PackedSequence):
        states = _packed(values, whole.batch_sizes.tolist(), back)
        batch = int(whole.batch_sizes[0])
    else:
        time = int(rnn.batch_first and values.ndim == 3)
        states = values.narrow(time, int(back), values.shape[time] - 1).reshape(-1, width)
        batch = values.shape[1 - time] if values.ndim == 3 else 1
    return torch.cat([states, _initial(rnn, arguments, back, states, batch)])


def _packed(values: Tensor, sizes: list[int], back: bool) -> Tensor:
    """Outputs that a later (or, backwards, an earlier) step of the same sequence follows."""
    if back:
        return values[sizes[0] :]
    steps = values.split(sizes)
    return torch.cat([step[:size] for step, size in zip(steps, [*sizes[1:], 0], strict=True)])


def _initial(
    rnn: Any, arguments: tuple[Any, ...], back: bool, states: Tensor, batch: int
) -> Tensor:
    given = arguments[1] if len(arguments) > 1 else None
    if given is None:
        return states.new_zeros(batch, states.shape[-1])
    first = given[0] if isinstance(given, tuple) else given
    place = -1 if back or not rnn.bidirectional else -2
    return first.detach()[place].reshape(-1, states.shape[-1]).to(states.dtype)
