"""Causal self-attention, with the matrices of query, key, value and output as modules."""

from __future__ import annotations

from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from spectrain.training.gpt.config import GPTConfig

ROTARY_BASE = 10_000.0  # Su et al. 2021, section 3.3


class Attention(nn.Module):
    """H = V softmax(KᵀQ/√d) with a causal mask, for each head; then the output projection."""

    cosine: Tensor
    sine: Tensor

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        self.query, self.key, self.value = (_projection(config) for _ in range(3))
        self.output = nn.Linear(config.width, config.width, bias=config.bias)
        if config.position == "rope":
            cosine, sine = rotary_table(config.context, config.head_width)
            self.register_buffer("cosine", cosine, persistent=False)
            self.register_buffer("sine", sine, persistent=False)

    def forward(
        self,
        x: Float[Tensor, "batch time width"],
        value_embedding: Float[Tensor, "batch time width"] | None = None,
    ) -> Float[Tensor, "batch time width"]:
        """The heads' value mixtures, projected; ``value_embedding`` is added to the values."""
        query, key, value = (
            self._heads(projection, x) for projection in (self.query, self.key, self.value)
        )
        if value_embedding is not None:
            value = value + self._split(value_embedding)
        if self.config.qk_norm:
            query, key = normalize(query), normalize(key)
        if self.config.position == "rope":
            time = x.shape[1]
            cosine, sine = self.cosine[:time], self.sine[:time]
            query, key = rotate(query, cosine, sine), rotate(key, cosine, sine)
        if self.config.eager_attention:
            mixture = eager_attention(query, key, value)
        else:
            mixture = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.output(mixture.transpose(1, 2).flatten(2))

    def _heads(self, projection: nn.Module, x: Tensor) -> Tensor:
        if isinstance(projection, nn.ModuleList):
            return torch.stack([head(x) for head in projection], dim=1)
        return self._split(projection(x))

    def _split(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:2], self.config.heads, -1).transpose(1, 2)


def _projection(config: GPTConfig) -> nn.Module:
    linear = partial(nn.Linear, config.width, bias=config.qkv_bias)
    if config.separate_heads:
        return nn.ModuleList(linear(config.head_width) for _ in range(config.heads))
    return linear(config.width)


def eager_attention(
    query: Float[Tensor, "*batch time width"],
    key: Float[Tensor, "*batch time width"],
    value: Float[Tensor, "*batch time width"],
) -> Float[Tensor, "*batch time width"]:
    """softmax(QKᵀ/√d) V with a causal mask, the scores formed.

    Example:
        >>> q, k, v = torch.randn(3, 2, 5, 4)
        >>> fused = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        >>> torch.allclose(eager_attention(q, k, v), fused, atol=1e-6)
        True
    """
    time = query.shape[-2]
    later = torch.ones(time, time, dtype=torch.bool, device=query.device).triu(1)
    scores = (query @ key.mT / query.shape[-1] ** 0.5).masked_fill(later, float("-inf"))
    return functional.softmax(scores, dim=-1) @ value


def normalize(x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch width"]:
    """RMS normalisation of the last dimension, without gain; follows the dtype of ``x``."""
    return functional.rms_norm(x, x.shape[-1:]).to(x.dtype)


def rotary_table(
    context: int, head_width: int
) -> tuple[Float[Tensor, "context half"], Float[Tensor, "context half"]]:
    """Cosine and sine of t·b^(−2i/d) for position t and pair i of a head of d features.

    Su et al. 2021, RoFormer, equation 15, with b = 10,000.

    Example:
        >>> cosine, sine = rotary_table(context=8, head_width=4)
        >>> cosine.shape
        torch.Size([8, 2])
    """
    exponents = torch.arange(0, head_width, 2, dtype=torch.float64) / head_width
    angles = torch.outer(torch.arange(context, dtype=torch.float64), ROTARY_BASE**-exponents)
    return angles.cos().float(), angles.sin().float()


def rotate(
    x: Float[Tensor, "*batch time width"],
    cosine: Float[Tensor, "time half"],
    sine: Float[Tensor, "time half"],
) -> Float[Tensor, "*batch time width"]:
    """Turn feature pairs (i, i + d/2) by their position's angle; follows the dtype of ``x``."""
    first, second = x.chunk(2, dim=-1)
    turned = (first * cosine - second * sine, first * sine + second * cosine)
    return torch.cat(turned, dim=-1).to(x.dtype)
