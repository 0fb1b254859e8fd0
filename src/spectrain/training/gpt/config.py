"""What a GPT of the studies looks like: sizes, parts, initialisation, and the named presets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from spectrain.core import InputError

Activation = Literal["relu", "relu2", "gelu", "swiglu"]
Norm = Literal["rmsnorm", "layernorm"]
Position = Literal["learned", "rope"]
Init = Literal["default", "normal", "fan_in"]


@dataclass(frozen=True, kw_only=True)
class GPTConfig:
    """A decoder-only transformer: pre-norm blocks x + attention(norm(x)), x + mlp(norm(x)).

    Attributes:
        vocabulary: number of tokens.
        layers: number of transformer blocks.
        heads: attention heads a block; each has width // heads features.
        width: features of the residual stream.
        context: longest sequence.
        activation: of the MLP; ``relu2`` is max(x, 0)², ``swiglu`` adds a gate matrix.
        mlp_ratio: hidden features of the MLP over width.
        norm: kind of the normalisation layers.
        norm_gain: whether they have a learned gain.
        bias: biases of attention output, MLP, head and, where they have a gain, layer norms.
        qkv_bias: biases of query, key and value.
        position: learned embeddings added to the tokens', or rotary (Su et al. 2021).
        qk_norm: RMS normalisation of queries and keys, per head and without gain.
        eager_attention: the scores are formed, and then their softmax, where it is one fused
            operation otherwise: slower, but the largest logits are seen.
        separate_heads: one query, key and value matrix a head instead of one for all heads.
        value_embeddings: number n of token tables added to the values of the first n and, again,
            of the last n blocks.
        tied: the head shares the embedding's matrix.
        init: see :func:`spectrain.training.gpt.initialize.initialize`.
        zero_init_projections: attention output, MLP output and an untied head start at zero.

    Raises:
        InputError: the sizes do not fit together.

    Example:
        >>> GPTConfig(vocabulary=65, width=64, heads=4).head_width
        16
    """

    vocabulary: int
    layers: int = 4
    heads: int = 4
    width: int = 128
    context: int = 128
    activation: Activation = "gelu"
    mlp_ratio: float = 4.0
    norm: Norm = "layernorm"
    norm_gain: bool = True
    bias: bool = False
    qkv_bias: bool = False
    position: Position = "learned"
    qk_norm: bool = False
    eager_attention: bool = False
    separate_heads: bool = False
    value_embeddings: int = 0
    tied: bool = False
    init: Init = "default"
    zero_init_projections: bool = False

    def __post_init__(self) -> None:
        for name in ("vocabulary", "layers", "heads", "width", "context", "hidden"):
            if getattr(self, name) < 1:
                raise InputError(
                    f"{name} is {getattr(self, name)}", remedy="pass a positive number"
                )
        if self.width % self.heads:
            raise InputError(
                f"width {self.width} does not divide into {self.heads} heads",
                remedy="choose a multiple",
            )
        if self.position == "rope" and self.head_width % 2:
            raise InputError(
                f"rotary positions turn pairs, and a head has {self.head_width} features",
                remedy="choose an even number of features a head",
            )
        if not 0 <= 2 * self.value_embeddings <= self.layers:
            raise InputError(
                f"{self.value_embeddings} value embeddings serve twice as many blocks, "
                f"and there are {self.layers}",
                remedy="choose at most half the number of layers",
            )

    @property
    def head_width(self) -> int:
        """Features of one head."""
        return self.width // self.heads

    @property
    def hidden(self) -> int:
        """Hidden features of the MLP."""
        return round(self.mlp_ratio * self.width)


PRESETS: dict[str, dict[str, Any]] = {
    # The character model of the random-matrix figures: the sizes of A. Karpathy's gpt-dev lecture.
    "nanogpt": {
        "layers": 4,
        "heads": 4,
        "width": 64,
        "context": 32,
        "activation": "relu",
        "norm": "layernorm",
        "bias": True,
        "position": "learned",
        "separate_heads": True,
        "init": "default",
    },
    # The ingredients of Davis & Drusvyatskiy's NanoGPT figures, at a size for two CPU cores.
    "modern": {
        "layers": 4,
        "heads": 4,
        "width": 128,
        "context": 64,
        "activation": "relu2",
        "norm": "rmsnorm",
        "norm_gain": False,
        "position": "rope",
        "qk_norm": True,
        "init": "fan_in",
        "zero_init_projections": True,
    },
}


def preset(name: str, *, vocabulary: int, **overrides: Any) -> GPTConfig:
    """A named configuration, with any of its fields replaced.

    ``nanogpt`` is the 209,729-parameter character model (at 65 tokens); ``modern`` has RMSNorm
    without gain, rotary positions, QK-norm, ReLU² and zero-initialised projections.

    Raises:
        InputError: there is no such preset, or the fields do not fit together.

    Example:
        >>> preset("nanogpt", vocabulary=65, layers=2).layers
        2
    """
    if name not in PRESETS:
        raise InputError(
            f"there is no preset {name!r}", remedy=f"choose among {', '.join(PRESETS)}"
        )
    return replace(GPTConfig(vocabulary=vocabulary, **PRESETS[name]), **overrides)
