"""The networks of the study, each of plain operations that map over stacked copies."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from math import sqrt

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import pad, silu

CLASSES, SIDE = 10, 14
PATCH = 2
"""Side of the squares that the mixer cuts an image into."""
BEHIND = 4
"""Characters that the n-gram sees: the present one and those before it."""


class Perceptron(nn.Module):
    """Layers of equal width on flattened images, an activation between them."""

    def __init__(
        self,
        layers: int,
        width: int,
        *,
        activation: Callable[[Tensor], Tensor] = torch.relu,
    ) -> None:
        super().__init__()
        sizes = [SIDE * SIDE, *[width] * layers]
        pairs = itertools.pairwise(sizes)
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairs)
        self.head = nn.Linear(width, CLASSES)
        self.activation = activation

    def forward(self, x: Float[Tensor, "batch 1 side side"]) -> Float[Tensor, "batch classes"]:
        """Logits."""
        x = x.flatten(1)
        for layer in self.hidden:
            x = self.activation(layer(x))
        return self.head(x)


class Convolutions(nn.Module):
    """3 × 3 convolutions with ReLU, channels doubling as the side halves, then the mean."""

    def __init__(self, layers: int, width: int) -> None:
        super().__init__()
        channels = [1, width, *[2 * width] * (layers - 1)]
        self.hidden = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1, stride=1 + (number < 2))
            for number, (a, b) in enumerate(itertools.pairwise(channels))
        )
        self.head = nn.Linear(channels[-1], CLASSES)

    def forward(self, x: Float[Tensor, "batch 1 side side"]) -> Float[Tensor, "batch classes"]:
        """Logits."""
        for layer in self.hidden:
            x = layer(x).relu()
        return self.head(x.mean((-2, -1)))


class Gated(nn.Module):
    """x ← x + W₃(silu(W₁x) ⊙ W₂x), the inside twice as wide, on flattened images.

    Source: Shazeer 2020, arXiv:2002.05202 (SwiGLU).
    """

    def __init__(self, layers: int, width: int) -> None:
        super().__init__()
        self.patches = nn.Linear(SIDE * SIDE, width)
        self.gates, self.ups = (
            nn.ModuleList(nn.Linear(width, 2 * width, bias=False) for _ in range(layers))
            for _ in range(2)
        )
        self.downs = nn.ModuleList(nn.Linear(2 * width, width, bias=False) for _ in range(layers))
        self.head = nn.Linear(width, CLASSES)

    def forward(self, x: Float[Tensor, "batch 1 side side"]) -> Float[Tensor, "batch classes"]:
        """Logits."""
        x = self.patches(x.flatten(1))
        for gate, up, down in zip(self.gates, self.ups, self.downs, strict=True):
            inner = _normed(x)
            x = x + down(silu(gate(inner)) * up(inner))
        return self.head(_normed(x))


class Mixer(nn.Module):
    """Across patches and across channels in turn, each two layers with a residual.

    Source: Tolstikhin et al. 2021, arXiv:2105.01601.
    """

    def __init__(self, layers: int, width: int) -> None:
        super().__init__()
        places = (SIDE // PATCH) ** 2
        self.patches = nn.Linear(PATCH**2, width)
        self.across, self.back = (
            nn.ModuleList(nn.Linear(a, b, bias=False) for _ in range(layers))
            for a, b in ((places, width), (width, places))
        )
        self.up, self.down = (
            nn.ModuleList(nn.Linear(a, b, bias=False) for _ in range(layers))
            for a, b in ((width, 2 * width), (2 * width, width))
        )
        self.head = nn.Linear(width, CLASSES)

    def forward(self, x: Float[Tensor, "batch 1 side side"]) -> Float[Tensor, "batch classes"]:
        """Logits."""
        cut = x.unflatten(-1, (-1, PATCH)).unflatten(-3, (-1, PATCH)).movedim(-3, -2)
        x = self.patches(cut.flatten(-2).flatten(1, -2))
        for across, back, up, down in zip(self.across, self.back, self.up, self.down, strict=True):
            x = x + back(across(_normed(x).mT).relu()).mT
            x = x + down(up(_normed(x)).relu())
        return self.head(_normed(x).mean(-2))


class Recurrent(nn.Module):
    """LSTM layers on characters, the four gates of a layer in one matrix a source.

    Source: Hochreiter & Schmidhuber 1997; forget gates start at σ(1).
    """

    def __init__(self, layers: int, width: int, vocabulary: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.inputs, self.states = (
            nn.ModuleList(nn.Linear(width, 4 * width, bias=False) for _ in range(layers))
            for _ in range(2)
        )
        self.head = nn.Linear(width, vocabulary)

    def forward(self, x: Int[Tensor, "batch context"]) -> Float[Tensor, "batch context vocabulary"]:
        """Logits."""
        seen = self.embedding(x)
        for inputs, states in zip(self.inputs, self.states, strict=True):
            given = inputs(seen)
            out = cell = torch.zeros_like(seen[:, 0])
            outs = []
            for place in range(seen.shape[1]):
                i, f, g, o = (given[:, place] + states(out)).chunk(4, -1)
                cell = (f + 1).sigmoid() * cell + i.sigmoid() * g.tanh()
                out = o.sigmoid() * cell.tanh()
                outs.append(out)
            seen = torch.stack(outs, 1)
        return self.head(seen)


class Ngram(nn.Module):
    """Embeddings of the last characters side by side, tanh layers on them, and a head.

    Source: Bengio et al. 2003, JMLR 3.
    """

    def __init__(self, layers: int, width: int, vocabulary: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        sizes = [BEHIND * width, *[width] * layers]
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        self.head = nn.Linear(width, vocabulary)

    def forward(self, x: Int[Tensor, "batch context"]) -> Float[Tensor, "batch context vocabulary"]:
        """Logits."""
        seen = pad(self.embedding(x), (0, 0, BEHIND - 1, 0))
        length = x.shape[-1]
        x = torch.cat([seen[:, behind : behind + length] for behind in range(BEHIND)], -1)
        for layer in self.hidden:
            x = layer(x).tanh()
        return self.head(x)


class Bag(nn.Module):
    """The mean of the embeddings of the last characters through narrow layers: tables dominate.

    Source: Joulin et al. 2016, arXiv:1607.01759, with layers between.
    """

    def __init__(self, layers: int, width: int, vocabulary: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        sizes = [width, *[max(width // 8, 2)] * layers]
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        self.head = nn.Linear(sizes[-1], vocabulary)

    def forward(self, x: Int[Tensor, "batch context"]) -> Float[Tensor, "batch context vocabulary"]:
        """Logits."""
        seen = pad(self.embedding(x), (0, 0, BEHIND - 1, 0))
        length = x.shape[-1]
        x = torch.stack([seen[:, behind : behind + length] for behind in range(BEHIND)]).mean(0)
        for layer in self.hidden:
            x = layer(x).tanh()
        return self.head(x)


def drawn(model: nn.Module, generator: torch.Generator, *, gain: float = 2.0) -> nn.Module:
    """Weights of variance gain/fan_in (He's with 2), embeddings of variance 1, biases 0."""
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
        else:
            fan_in = 1 if name == "embedding.weight" else parameter[0].numel()
            scale = 1.0 if name == "embedding.weight" else gain
            nn.init.normal_(parameter, std=sqrt(scale / fan_in), generator=generator)
    return model


def _normed(x: Tensor) -> Tensor:
    """Of root mean square 1 along the last dimension."""
    return x * (x.square().mean(-1, keepdim=True) + 1e-6).rsqrt()
