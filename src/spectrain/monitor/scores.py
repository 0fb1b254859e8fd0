"""Attention scores as their softmax receives them, where attention is eager and forms them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from spectrain.monitor.multi_head import MULTI_HEAD

SOFTMAX = frozenset({torch.softmax, functional.softmax, Tensor.softmax, torch.special.softmax})
FUSED = functional.scaled_dot_product_attention

Seen = Callable[[Tensor], None]
Called = Callable[[tuple[Any, ...], Mapping[str, Any]], None]


class ScoresMode(TorchFunctionMode):
    """Shows the input of every softmax that is called within, and notes fused attention.

    Functions are called with the arguments that they were given: results are the same to the bit.

    Args:
        seen: is given the scores.
        fused: is called where they are not formed.
        called: is given the arguments of a multi-head attention as one function, of which nothing
            within is seen.
    """

    def __init__(self, seen: Seen, fused: Callable[[], None], called: Called) -> None:
        super().__init__()
        self._seen, self._fused, self._called = seen, fused, called

    def begin(self) -> None:
        """Observe from here on."""
        super().__enter__()  # type: ignore[no-untyped-call]

    def end(self) -> None:
        """Observe no further."""
        super().__exit__(None, None, None)  # type: ignore[no-untyped-call]

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        if func in SOFTMAX:
            scores = args[0] if args else given.get("input")
            if type(scores) is Tensor:
                self._seen(scores)
        elif func is FUSED:
            self._fused()
        elif func is MULTI_HEAD:
            self._called(args, given)
        return func(*args, **given)


def largest_by_head(scores: Tensor, heads: int) -> Tensor | None:
    """The largest score of each head; ``None`` where it holds no scores of that many heads.

    Args:
        scores: batch × heads × queries × keys, or (batch · heads) × queries × keys.
        heads: number of heads; 0 where it is not known; then it is that of four dimensions.

    Example:
        >>> largest_by_head(torch.arange(8.0).reshape(1, 2, 2, 2), 2).tolist()
        [3.0, 7.0]
        >>> largest_by_head(torch.zeros(3, 5), 2) is None
        True
    """
    plain = scores.detach()
    if plain.ndim == 3 and heads and len(plain) % heads == 0:
        plain = plain.unflatten(0, (-1, heads))
    if plain.ndim != 4 or heads not in (0, plain.shape[1]) or not plain.numel():
        return None
    return plain.amax((0, 2, 3))


def fuses(attention: nn.Module) -> bool:
    """Whether an attention of Transformers declares an implementation other than the eager one.

    Example:
        >>> from types import SimpleNamespace
        >>> attention = nn.Module()
        >>> attention.config = SimpleNamespace(_attn_implementation="sdpa")
        >>> fuses(attention), fuses(nn.Module())
        (True, False)
    """
    declared = getattr(getattr(attention, "config", None), "_attn_implementation", None)
    return declared not in (None, "eager")
