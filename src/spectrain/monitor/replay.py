"""A model's forward pass once more, on a few examples of the step's batch, without side effects."""

from __future__ import annotations

import random
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from spectrain.core.torch_private import StatisticsNorm, backward_pass, redirected_call
from spectrain.network.wrapping import unwrapped

COLUMNS = 64
"""Columns (tokens, positions, examples) to replay in a step: as many examples as have them."""

NOT_CALLED = "the forward pass of the model that is watched was not called in the step"
STRANGE = "the forward pass takes a {}, which cannot be kept and given again"

Taken = Callable[[tuple[Any, ...], dict[str, Any]], None]


class _StrangeError(Exception):
    """An argument that is neither a tensor nor a plain value."""


@dataclass(frozen=True, slots=True)
class _Call:
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    columns: int


class Replay:
    """Keeps examples of a step's forward passes, and runs the model on them again.

    A run sees the same random numbers each time, draws none of the training's, works on copies of
    the buffers, is not compiled, and records no graph. What the forward pass leaves elsewhere (an
    attribute that it sets, a hook of the user's) it leaves again: hence nothing is replayed unless
    the user asks.

    Args:
        model: as the training calls it.
        guarded: a context for what runs within the training's forward pass.
    """

    def __init__(
        self, model: nn.Module, guarded: Callable[[], AbstractContextManager[Any]]
    ) -> None:
        self._outer, self._inner = model, unwrapped(model)
        self._guarded = guarded
        self._calls: list[_Call] = []
        self._strange: str | None = None
        self._ends = ExitStack()
        self._least = 1 + any(isinstance(m, StatisticsNorm) for m in model.modules())

    @property
    def reason(self) -> str | None:
        """Why nothing can be replayed."""
        return self._strange or (None if self._calls else NOT_CALLED)

    def listen(self) -> None:
        """From the start of a step: keep a few examples of what the model is called with."""
        self.forget()
        redirected = redirected_call(self._outer, self._take)
        if redirected is not None:  # a hook would be traced into its graph
            self._ends.callback(redirected)
            return
        handle = self._outer.register_forward_pre_hook(
            lambda module, args, kwargs: self._take(args, kwargs), with_kwargs=True
        )
        self._ends.callback(handle.remove)

    def rest(self) -> None:
        """Take no further examples."""
        self._ends.close()

    def forget(self) -> None:
        """Let go of everything."""
        self.rest()
        self._calls, self._strange = [], None

    def run(self) -> None:
        """The forward passes, one after the other; hooks on the modules record what they see."""
        with _untouched(self._inner), torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the training has seen them
            for call in self._calls:
                args, kwargs = _mapped((call.args, call.kwargs), torch.clone)
                buffers = {name: b.clone() for name, b in self._inner.named_buffers()}
                functional_call(self._inner, buffers, args, kwargs)

    def _take(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not torch.is_grad_enabled() or backward_pass() != -1 or self._strange is not None:
            return
        missing = COLUMNS - sum(call.columns for call in self._calls)
        if missing > 0:
            with self._guarded():
                try:
                    self._calls.append(_examples(args, kwargs, missing, self._least))
                except _StrangeError as error:
                    self._strange = STRANGE.format(error)


def _examples(args: tuple[Any, ...], kwargs: dict[str, Any], columns: int, least: int) -> _Call:
    """Copies of the first examples, enough for ``columns`` columns."""
    tensors: list[Tensor] = []

    def listed(x: Tensor) -> Tensor:
        tensors.append(x)
        return x

    _mapped((args, kwargs), listed)
    batch = next((x for x in tensors if x.ndim), None)
    if batch is None or not len(batch):
        return _Call(args, kwargs, 0)
    size = len(batch)
    each = max(batch.numel() // (size * _features(batch)), 1)
    kept = min(max(ceil(columns / each), least), size)

    def part(x: Tensor) -> Tensor:
        chosen = x[:kept] if x.ndim and len(x) == size else x
        return chosen.detach().clone()

    kept_args, kept_kwargs = _mapped((args, kwargs), part)
    return _Call(kept_args, kept_kwargs, kept * each)


def _features(batch: Tensor) -> int:
    """Entries of a column: of tokens one, of images their channels."""
    if not batch.is_floating_point():
        return 1
    return batch.shape[1 if batch.ndim > 3 else -1] if batch.ndim > 1 else 1


def _mapped(value: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """Nested tuples, lists and dictionaries with a function applied to their tensors."""
    if isinstance(value, Tensor):
        return function(value)
    if type(value) in (tuple, list):
        return type(value)(_mapped(one, function) for one in value)
    if type(value) is dict:
        return {key: _mapped(one, function) for key, one in value.items()}
    if value is None or isinstance(value, (bool, int, float, str, torch.dtype, torch.device)):
        return value
    raise _StrangeError(type(value).__name__)


@contextmanager
def _untouched(model: nn.Module) -> Iterator[None]:
    """The same random numbers each time, and the training's as they were; nothing compiled."""
    plain, numpy = random.getstate(), np.random.get_state()
    devices = sorted({p.device.index for p in model.parameters() if p.is_cuda})
    try:
        with torch.random.fork_rng(devices), _eager():
            torch.manual_seed(0)
            random.seed(0)
            np.random.seed(0)
            yield
    finally:
        random.setstate(plain)
        np.random.set_state(numpy)
        _reshard(model)


def _eager() -> AbstractContextManager[Any]:
    """Compiled functions run as they are written; a shape of its own would recompile them."""
    if "torch._dynamo" not in sys.modules:
        return nullcontext()
    stance: AbstractContextManager[Any] = torch.compiler.set_stance("force_eager")
    return stance


def _reshard(model: nn.Module) -> None:
    """Sharded parameters as they lie between two steps: gathered ones would be out of date."""
    if "torch.distributed.fsdp" in sys.modules:
        from torch.distributed.fsdp import FSDPModule

        for module in model.modules():
            if isinstance(module, FSDPModule):
                module.reshard()
