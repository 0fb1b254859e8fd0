"""Small networks with the module names of well-known architectures, none of their code.

Each is a function without arguments that returns a model and the arguments of its forward.
"""

from __future__ import annotations

from support.architectures.building import (
    HEADS,
    VOCABULARY,
    WIDTH,
    Build,
    Conv1D,
    LayerNorm2d,
    RMSNorm,
    Tree,
    chain,
    mix,
)
from support.architectures.decoders import (
    gpt2,
    lab_gpt,
    lab_nanogpt,
    llama,
    mixture,
    nano_gpt,
    neox,
    phi3,
)
from support.architectures.encoders import bert, t5, torch_decoder, torch_encoder
from support.architectures.vision import convolutions, vit

ARCHITECTURES: dict[str, Build] = {
    build.__name__: build
    for build in (
        *(gpt2, nano_gpt, llama, phi3, neox, bert, vit, t5, torch_encoder, torch_decoder),
        *(mixture, convolutions, lab_gpt, lab_nanogpt),
    )
}

__all__ = [
    "ARCHITECTURES",
    "HEADS",
    "VOCABULARY",
    "WIDTH",
    "Build",
    "Conv1D",
    "LayerNorm2d",
    "RMSNorm",
    "Tree",
    "chain",
    "mix",
]
