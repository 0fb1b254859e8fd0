"""Small networks of several kinds: decoders, an encoder, a recurrent one, convolutions."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


class Grouped(nn.Module):
    """Causal attention in which several query heads share keys and values."""

    def __init__(self, width: int, heads: int, shared: int) -> None:
        super().__init__()
        self.heads, self.shared, each = heads, shared, width // heads
        self.q_proj = nn.Linear(width, width, bias=False)
        self.k_proj = nn.Linear(width, shared * each, bias=False)
        self.v_proj = nn.Linear(width, shared * each, bias=False)
        self.o_proj = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Of a batch of sequences."""
        q, k, v = (
            layer(x).unflatten(-1, (heads, -1)).transpose(1, 2)
            for layer, heads in (
                (self.q_proj, self.heads),
                (self.k_proj, self.shared),
                (self.v_proj, self.shared),
            )
        )
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        return self.o_proj(mixed.transpose(1, 2).flatten(2))


class Gated(nn.Module):
    """SwiGLU."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(width, hidden, bias=False)
        self.up_proj = nn.Linear(width, hidden, bias=False)
        self.down_proj = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Feature by feature."""
        return self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))


class Experts(nn.Module):
    """The two of several small MLPs that a router weighs most; all are computed."""

    def __init__(self, width: int, hidden: int, experts: int) -> None:
        super().__init__()
        self.gate = nn.Linear(width, experts, bias=False)
        self.experts = nn.ModuleList(Gated(width, hidden) for _ in range(experts))

    def forward(self, x: Tensor) -> Tensor:
        """Token by token."""
        scores = self.gate(x)
        best, chosen = scores.topk(2, dim=-1)
        weights = torch.zeros_like(scores).scatter(-1, chosen, best.softmax(-1))
        told = torch.stack([expert(x) for expert in self.experts], -1)
        return (told * weights.unsqueeze(-2)).sum(-1)


class Layer(nn.Module):
    """Attention and MLP, each after an RMS norm and beside a skip."""

    def __init__(self, width: int, heads: int, shared: int, mlp: nn.Module) -> None:
        super().__init__()
        self.input_layernorm = nn.RMSNorm(width)
        self.self_attn = Grouped(width, heads, shared)
        self.post_attention_layernorm = nn.RMSNorm(width)
        self.mlp = mlp

    def forward(self, x: Tensor) -> Tensor:
        """Of a batch of sequences."""
        x = x + self.self_attn(self.input_layernorm(x))
        return x + self.mlp(self.post_attention_layernorm(x))


class Decoder(nn.Module):
    """A causal language model with grouped queries, of MLPs or of experts."""

    def __init__(
        self, vocabulary: int, context: int, *, width: int, layers: int, shared: int, experts: int
    ) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(vocabulary, width)
        self.embed_positions = nn.Embedding(context, width)
        hidden = 2 * width

        def mlp() -> nn.Module:
            return Experts(width, width, experts) if experts else Gated(width, hidden)

        self.layers = nn.ModuleList(Layer(width, 4, shared, mlp()) for _ in range(layers))
        self.norm = nn.RMSNorm(width)
        self.lm_head = nn.Linear(width, vocabulary, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits of the next tokens."""
        x = self.embed_tokens(tokens) + self.embed_positions.weight[: tokens.shape[1]]
        for layer in self.layers:
            x = layer(x)
        return self.lm_head(self.norm(x))


class Encoder(nn.Module):
    """Attention in all directions over tokens (a masked language model) or patches (a ViT).

    Args:
        inputs: tokens in the vocabulary, or features of a patch.
        outputs: classes.
        length: tokens of a sequence.
        width: of the residual stream.
        patches: whether sequences are of patches and the classes are of the whole.
    """

    def __init__(
        self, inputs: int, outputs: int, length: int, *, width: int, patches: bool
    ) -> None:
        super().__init__()
        self.patches = patches
        self.embedding = nn.Linear(inputs, width) if patches else nn.Embedding(inputs, width)
        self.position = nn.Parameter(0.02 * torch.randn(1, length, width))
        layer = nn.TransformerEncoderLayer(
            width, 4, 2 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of each token, or of the whole."""
        x = self.norm(self.encoder(self.embedding(x) + self.position))
        return self.head(x.mean(1) if self.patches else x)


class Recurrent(nn.Module):
    """A language model by an LSTM."""

    def __init__(self, vocabulary: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits of the next tokens."""
        return self.head(self.lstm(self.embedding(tokens))[0])


def convolutional(classes: int) -> nn.Module:
    """Three convolutions with batch norms, and a linear layer on their mean."""
    channels = (1, 12, 24, 24)
    layers: list[nn.Module] = []
    for number, (inputs, outputs) in enumerate(pairwise(channels)):
        stride = 2 if number == 1 else 1
        layers += [
            nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, classes))


def perceptron(inputs: int, classes: int) -> nn.Module:
    """Three hidden layers."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(inputs, 96),
        nn.ReLU(),
        nn.Linear(96, 96),
        nn.ReLU(),
        nn.Linear(96, 96),
        nn.ReLU(),
        nn.Linear(96, classes),
    )
