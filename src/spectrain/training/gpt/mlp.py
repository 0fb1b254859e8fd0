"""The MLP of a transformer block."""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from spectrain.training.gpt.config import GPTConfig


def relu_squared(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """max(x, 0)² (So et al. 2021, Primer).

    Example:
        >>> import torch
        >>> relu_squared(torch.tensor([-2.0, 3.0]))
        tensor([0., 9.])
    """
    return functional.relu(x).square()


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": functional.relu,
    "relu2": relu_squared,
    "gelu": functional.gelu,
    "swiglu": functional.silu,
}


class MLP(nn.Module):
    """contract(σ(expand(x))), or contract(SiLU(gate(x)) ∘ expand(x)) for SwiGLU."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        width, hidden = config.width, config.hidden
        self.activation = ACTIVATIONS[config.activation]
        self.expand = nn.Linear(width, hidden, bias=config.bias)
        self.gate = (
            nn.Linear(width, hidden, bias=config.bias) if config.activation == "swiglu" else None
        )
        self.contract = nn.Linear(hidden, width, bias=config.bias)

    def forward(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch width"]:
        """Apply the MLP to each position."""
        if self.gate is None:
            return self.contract(self.activation(self.expand(x)))
        return self.contract(self.activation(self.gate(x)) * self.expand(x))
