"""The scores of ``nn.MultiheadAttention``, whose softmax lies within one function of torch's."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from math import sqrt
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

MULTI_HEAD = functional.multi_head_attention_forward

ENTRIES = 2**24
"""Scores that are formed at a time."""

_SIGNATURE = inspect.signature(MULTI_HEAD)


@torch.no_grad()
def largest_of_call(
    args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Float[Tensor, " heads"] | None:
    """The largest score of each head that a call of :data:`MULTI_HEAD` gives to its softmax.

    Queries and keys are projected again from what the call was given, and their scores formed a
    part at a time; the call itself is not touched.

    Returns:
        ``None`` where keys are added to those of the input, or a tensor is not an ordinary one.

    Example:
        >>> attention = torch.nn.MultiheadAttention(2, 1, bias=False)
        >>> weight = torch.cat([torch.eye(2)] * 3)
        >>> x = torch.tensor([[[1.0, 0.0]], [[0.0, 3.0]]])  # places × batch × features
        >>> given = (x, x, x, 2, 1, weight, None, None, None, False, 0.0, torch.eye(2), None)
        >>> round(largest_of_call(given, {}).item() * 2**0.5, 4)
        9.0
    """
    given = _SIGNATURE.bind(*args, **kwargs)
    given.apply_defaults()
    call = given.arguments
    if call["add_zero_attn"] or any(call[n] is not None for n in ("bias_k", "bias_v", "static_k")):
        return None
    made = [call[name] for name in ("query", "key", "in_proj_weight", "q_proj_weight")]
    if any(type(one) not in (Tensor, torch.nn.Parameter) for one in made if one is not None):
        return None
    heads = int(call["num_heads"])
    queries, keys = (_by_head(x, heads) for x in _projected(call))
    largest = queries.new_full((heads,), -torch.inf)
    step = max(ENTRIES // max(heads * keys.shape[2], 1), 1)
    for example in range(len(queries)):
        for place in range(0, queries.shape[2], step):
            places = slice(place, place + step)
            scores = queries[example, :, places] @ keys[example].mT / sqrt(queries.shape[3])
            for mask in _masks(call, example, heads, places):
                masked = mask.dtype == torch.bool
                scores = scores.masked_fill(mask, -torch.inf) if masked else scores + mask
            largest = torch.maximum(largest, scores.amax((1, 2)))
    return largest


def _projected(call: Mapping[str, Any]) -> Iterator[Tensor]:
    """Queries and keys, places × batch × features."""
    biases = call["in_proj_bias"]
    parts = (None, None) if biases is None else biases.detach().chunk(3)[:2]
    if call["use_separate_proj_weight"]:
        weights = [call["q_proj_weight"].detach(), call["k_proj_weight"].detach()]
    else:
        weights = [*call["in_proj_weight"].detach().chunk(3)[:2]]
    for name, weight, bias in zip(("query", "key"), weights, parts, strict=True):
        x = call[name].detach()
        yield functional.linear(x if x.ndim == 3 else x.unsqueeze(1), weight, bias)


def _by_head(x: Tensor, heads: int) -> Tensor:
    """Batch × heads × places × features of a head."""
    return x.unflatten(2, (heads, -1)).permute(1, 2, 0, 3)


def _masks(call: Mapping[str, Any], example: int, heads: int, places: slice) -> Iterator[Tensor]:
    """What is taken out of, or added to, the scores of an example: heads × queries × keys."""
    mask, padding = call["attn_mask"], call["key_padding_mask"]
    if mask is not None:
        own = mask if mask.ndim == 2 else mask[example * heads : (example + 1) * heads]
        yield own[..., places, :]
    if padding is not None:
        yield padding if padding.ndim == 1 else padding[example]
