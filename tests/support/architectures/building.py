"""What the small networks are built from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

Build = Callable[[], tuple[nn.Module, tuple[Tensor, ...]]]
WIDTH, HIDDEN, HEADS, VOCABULARY, CONTEXT, LAYERS = 16, 40, 4, 23, 6, 2
HEAD = WIDTH // HEADS


def tokens() -> Tensor:
    return torch.randint(VOCABULARY, (3, CONTEXT))


def images() -> Tensor:
    return torch.randn(2, 3, 8, 8)


def mix(query: Tensor, key: Tensor, value: Tensor, heads: int = HEADS) -> Tensor:
    """Attention of (batch, time, features) with as many key heads as there is room for."""

    def apart(x: Tensor) -> Tensor:
        return x.unflatten(-1, (-1, query.shape[-1] // heads)).transpose(1, 2)

    mixed = functional.scaled_dot_product_attention(
        apart(query), apart(key), apart(value), enable_gqa=True
    )
    return mixed.transpose(1, 2).flatten(2)


class Tree(nn.Module):
    """Submodules by name, and a forward given as a function of the module and its input."""

    config: Any

    def __init__(self, forward: Callable[..., Tensor], /, **children: Any) -> None:
        super().__init__()
        for name, child in children.items():
            setattr(self, name, child)
        self._forward = forward

    def __getattr__(self, name: str) -> Any:
        return super().__getattr__(name)

    def forward(self, *arguments: Tensor) -> Tensor:
        return self._forward(self, *arguments)


def chain(module: Tree, x: Tensor) -> Tensor:
    """The children one after the other."""
    for child in module.children():
        x = child(x)
    return x


def residual(module: Tree, x: Tensor) -> Tensor:
    """Children in pairs of norm and branch, each pair added to the stream."""
    children = list(module.children())
    for norm, branch in zip(children[::2], children[1::2], strict=True):
        x = x + branch(norm(x))
    return x


def layers(make: Callable[[], nn.Module]) -> nn.Sequential:
    return nn.Sequential(*(make() for _ in range(LAYERS)))


class Conv1D(nn.Module):
    """A linear layer that stores its weight input × output, as GPT-2's does."""

    def __init__(self, nf: int, nx: int) -> None:
        super().__init__()
        self.nf = nf
        self.weight = nn.Parameter(torch.randn(nx, nf))
        self.bias = nn.Parameter(torch.randn(nf))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight + self.bias


class RMSNorm(nn.Module):
    def __init__(self, width: int, offset: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width))
        self.offset = offset

    def forward(self, x: Tensor) -> Tensor:
        return (self.offset + self.weight) * x * x.square().mean(-1, keepdim=True).rsqrt()


class LayerNorm2d(nn.LayerNorm):
    """Over the channels of images."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


def fused(name: str, output: str) -> Callable[[Tree, Tensor], Tensor]:
    def forward(module: Tree, x: Tensor) -> Tensor:
        return getattr(module, output)(mix(*getattr(module, name)(x).chunk(3, -1)))

    return forward


def separate(query: str, key: str, value: str, output: str) -> Callable[[Tree, Tensor], Tensor]:
    def forward(module: Tree, x: Tensor) -> Tensor:
        made = (module.get_submodule(name)(x) for name in (query, key, value))
        return module.get_submodule(output)(mix(*made))

    return forward


def mlp(into: str, out: str) -> Callable[[Tree, Tensor], Tensor]:
    return lambda module, x: getattr(module, out)(functional.gelu(getattr(module, into)(x)))


def gated(gate: str, into: str, out: str) -> Callable[[Tree, Tensor], Tensor]:
    return lambda module, x: getattr(module, out)(
        functional.silu(getattr(module, gate)(x)) * getattr(module, into)(x)
    )


def linear(outputs: int, inputs: int) -> nn.Linear:
    return nn.Linear(inputs, outputs, bias=False)
