"""A model with matrices whose gradients are what one makes them: pure noise, or pure signal."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Planted(nn.Module):
    """Two square layers: the gradient of ``noise`` is given, that of ``signal`` is W − T.

    Args:
        size: rows and columns.
        generator: source of the initial weights, the target T (entries of variance 1) and of the
            noise.

    Example:
        >>> model = Planted(4, generator=torch.Generator().manual_seed(0))
        >>> model().backward()
        >>> model.signal.weight.grad.allclose(model.signal.weight - model.target)
        True
    """

    target: Tensor

    def __init__(self, size: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.noise = nn.Linear(size, size, bias=False)
        self.signal = nn.Linear(size, size, bias=False)
        with torch.no_grad():
            for layer in (self.noise, self.signal):
                layer.weight.normal_(std=size**-0.5, generator=generator)
        self._generator = generator
        self.register_buffer("target", self._draw())

    def forward(self) -> Float[Tensor, ""]:
        """A loss whose gradients are those of the class's text; its noise is drawn at each call."""
        noise: Tensor = (self.noise.weight * self._draw()).sum()
        distance: Tensor = (self.signal.weight - self.target).square().sum()
        return noise + distance / 2

    def _draw(self) -> Tensor:
        return torch.randn(self.noise.weight.shape, generator=self._generator)
