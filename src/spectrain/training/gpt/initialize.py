"""Initial weights, drawn from a passed generator."""

from __future__ import annotations

from math import sqrt

import torch
from torch import nn
from torch.nn import init

from spectrain.training.gpt.config import Init


def initialize(model: nn.Module, scheme: Init, *, generator: torch.Generator | None) -> None:
    """Draw the weights of all linear and embedding layers in place.

    ========== =============================== ============ ========================
    scheme     linear layers with n inputs     embeddings   biases of linear layers
    ========== =============================== ============ ========================
    default    uniform, absolute value ≤ 1/√n  N(0, 1)      uniform, ≤ 1/√n
    normal     N(0, 0.02²)                     N(0, 0.02²)  0
    fan_in     uniform, deviation 0.5/√n       N(0, 1)      0
    ========== =============================== ============ ========================

    ``default`` is PyTorch's own, ``normal`` that of GPT-2, ``fan_in`` that of the NanoGPT figures
    of Davis & Drusvyatskiy. A matrix that a linear layer shares with an embedding is drawn as the
    linear layer's.

    Args:
        model: its norm layers are left as they are.
        generator: source of the draws; the global one if ``None``.
    """
    modules = list(model.modules())
    for module in modules:
        if isinstance(module, nn.Embedding):
            deviation = 0.02 if scheme == "normal" else 1.0
            init.normal_(module.weight, std=deviation, generator=generator)
    for module in modules:
        if isinstance(module, nn.Linear):
            _draw_linear(module, scheme, generator)


def _draw_linear(layer: nn.Linear, scheme: Init, generator: torch.Generator | None) -> None:
    bound = 1 / sqrt(layer.in_features)
    match scheme:
        case "default":
            init.uniform_(layer.weight, -bound, bound, generator=generator)
        case "normal":
            init.normal_(layer.weight, std=0.02, generator=generator)
        case "fan_in":
            bound *= 0.5 * sqrt(3)  # a uniform variable's deviation is its bound over √3
            init.uniform_(layer.weight, -bound, bound, generator=generator)
    if layer.bias is not None and scheme == "default":
        init.uniform_(layer.bias, -bound, bound, generator=generator)
    elif layer.bias is not None:
        init.zeros_(layer.bias)


def zero(layer: nn.Linear) -> None:
    """Set a layer's weight and bias to zero, so that its branch starts without effect."""
    for parameter in layer.parameters():
        init.zeros_(parameter)
