"""The GPT of the studies."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from spectrain.core import InputError
from spectrain.training.gpt.attention import Attention
from spectrain.training.gpt.config import GPTConfig
from spectrain.training.gpt.initialize import initialize, zero
from spectrain.training.gpt.mlp import MLP


class TransformerLayer(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.attention_norm = _norm(config)
        self.attention = Attention(config)
        self.mlp_norm = _norm(config)
        self.mlp = MLP(config)

    def forward(
        self,
        x: Float[Tensor, "batch time width"],
        value_embedding: Float[Tensor, "batch time width"] | None = None,
    ) -> Float[Tensor, "batch time width"]:
        """One layer of the residual stream."""
        x = x + self.attention(self.attention_norm(x), value_embedding)
        return x + self.mlp(self.mlp_norm(x))


class GPT(nn.Module):
    """A decoder-only transformer over tokens.

    Args:
        config: its shape.
        generator: source of the initial weights; the global one if ``None``.

    Example:
        >>> from spectrain.training.gpt import GPT, preset
        >>> model = GPT(preset("nanogpt", vocabulary=65))
        >>> sum(parameter.numel() for parameter in model.parameters())
        209729
        >>> model(torch.zeros(1, 8, dtype=torch.long)).shape
        torch.Size([1, 8, 65])
    """

    def __init__(self, config: GPTConfig, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        tokens = config.vocabulary, config.width
        with torch.random.fork_rng(devices=[]):  # what the constructors draw is drawn again below
            self.embedding = nn.Embedding(*tokens)
            self.position = (
                nn.Embedding(config.context, config.width) if config.position == "learned" else None
            )
            self.value_embeddings = nn.ModuleList(
                nn.Embedding(*tokens) for _ in range(config.value_embeddings)
            )
            self.blocks = nn.ModuleList(TransformerLayer(config) for _ in range(config.layers))
            self.final_norm = _norm(config)
            self.head = nn.Linear(config.width, config.vocabulary, bias=config.bias)
        if config.tied:
            self.head.weight = self.embedding.weight
        initialize(self, config.init, generator=generator)
        if config.zero_init_projections:
            self._zero_projections()

    def forward(self, tokens: Int[Tensor, "batch time"]) -> Float[Tensor, "batch time vocabulary"]:
        """Logits of the next token at each position.

        Raises:
            InputError: the sequence is longer than the context.
        """
        time, config = tokens.shape[1], self.config
        if time > config.context:
            raise InputError(
                f"the sequence has {time} tokens and the context {config.context}",
                remedy="cut the sequence",
            )
        x = self.embedding(tokens)
        if self.position is not None:
            x = x + self.position(torch.arange(time, device=tokens.device))
        tables = [table(tokens) for table in self.value_embeddings]
        between = [None] * (config.layers - 2 * len(tables))
        for block, table in zip(self.blocks, [*tables, *between, *tables], strict=True):
            x = block(x, table)
        return self.head(self.final_norm(x))

    def _zero_projections(self) -> None:
        for module in self.modules():
            if isinstance(module, Attention):
                zero(module.output)
            elif isinstance(module, MLP):
                zero(module.contract)
        if not self.config.tied:
            zero(self.head)

    def loss(
        self, tokens: Int[Tensor, "batch time"], targets: Int[Tensor, "batch time"]
    ) -> Float[Tensor, ""]:
        """Mean cross-entropy of the targets, in nats a token."""
        return functional.cross_entropy(self(tokens).flatten(0, 1), targets.flatten())


def _norm(config: GPTConfig) -> nn.Module:
    if config.norm == "rmsnorm":
        return nn.RMSNorm(config.width, elementwise_affine=config.norm_gain)
    return nn.LayerNorm(config.width, elementwise_affine=config.norm_gain, bias=config.bias)
