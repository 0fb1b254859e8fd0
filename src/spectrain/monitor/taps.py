"""Operators through which a compiled graph reports what it sees, without break or recompilation.

A hook that is traced leaves one of these calls in the graph. Taps are traced only while
:data:`sampling` is set: torch.compile guards on it and so keeps two graphs of each compiled module,
one for sampled steps and one for the others, which has no tap at all.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from weakref import WeakValueDictionary

import torch
from torch import Tensor, nn

from spectrain.core.torch_private import compiles_its_call
from spectrain.network.wrapping import WRAPPERS, modules_of

sampling = False
"""Whether a watched run samples the current step."""

RECEIVERS: WeakValueDictionary[int, Callable[[Tensor], None]] = WeakValueDictionary()
"""Who takes what a graph hands on, by the key that was traced into it; weak references."""

_keys = count()
_samplers = 0


@torch.library.custom_op(
    "spectrain::tap", mutates_args=("cell",), schema="(Tensor(a!) cell, Tensor x, int key) -> ()"
)
def tap(cell: Tensor, x: Tensor, key: int) -> None:
    """Hand ``x`` to the receiver of ``key``; that it writes to ``cell`` keeps it in the graph."""
    receiver = RECEIVERS.get(key)
    if receiver is not None:
        receiver(x)


@tap.register_fake
def _(cell: Tensor, x: Tensor, key: int) -> None:
    return None


def register(receiver: Callable[[Tensor], None]) -> int:
    """A key for the receiver, which its owner must hold on to."""
    key = next(_keys)
    RECEIVERS[key] = receiver
    return key


def set_sampling(on: bool) -> None:
    """Count those who sample: while there are any, the graphs with taps are used."""
    global sampling, _samplers
    _samplers = max(_samplers + (1 if on else -1), 0)
    sampling = _samplers > 0


def compiled_names(model: nn.Module) -> frozenset[str]:
    """Bare names of the modules that torch.compile was asked to compile, with all inside them.

    Example:
        >>> compiled = torch.compile(nn.ReLU(), backend="eager")
        >>> sorted(compiled_names(nn.Sequential(compiled, nn.ReLU())))
        ['0']
    """
    inside: set[int] = set()
    for module in model.modules():
        name = next((k.__name__ for k in type(module).__mro__ if k.__name__ in WRAPPERS), "")
        if name == "OptimizedModule" or compiles_its_call(module):
            inside.update(id(part) for part in module.modules())
    return frozenset(name for name, module in modules_of(model).items() if id(module) in inside)
