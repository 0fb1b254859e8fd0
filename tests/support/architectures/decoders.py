"""Decoders of text."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import torch
from torch import Tensor, nn
from torch.nn import functional

from spectrain.training.gpt import GPT, preset
from support.architectures.building import (
    CONTEXT,
    HEAD,
    HEADS,
    HIDDEN,
    LAYERS,
    VOCABULARY,
    WIDTH,
    Conv1D,
    RMSNorm,
    Tree,
    chain,
    fused,
    gated,
    layers,
    linear,
    mix,
    mlp,
    residual,
    separate,
    tokens,
)


def _gpt2(make: Callable[[int, int], nn.Module], tied: bool) -> nn.Module:
    def block() -> nn.Module:
        return Tree(
            residual,
            ln_1=nn.LayerNorm(WIDTH),
            attn=Tree(
                fused("c_attn", "c_proj"),
                c_attn=make(3 * WIDTH, WIDTH),
                c_proj=make(WIDTH, WIDTH),
            ),
            ln_2=nn.LayerNorm(WIDTH),
            mlp=Tree(mlp("c_fc", "c_proj"), c_fc=make(HIDDEN, WIDTH), c_proj=make(WIDTH, HIDDEN)),
        )

    def body(module: Tree, ids: Tensor) -> Tensor:
        places = torch.arange(ids.shape[1])
        return module.ln_f(module.h(module.wte(ids) + module.wpe(places)))

    transformer = Tree(
        body,
        wte=nn.Embedding(VOCABULARY, WIDTH),
        wpe=nn.Embedding(CONTEXT, WIDTH),
        h=layers(block),
        ln_f=nn.LayerNorm(WIDTH),
    )
    model = Tree(chain, transformer=transformer, lm_head=nn.Linear(WIDTH, VOCABULARY, bias=False))
    model.config = SimpleNamespace(n_head=HEADS)
    if tied:
        model.lm_head.weight = transformer.wte.weight
    return model


def gpt2() -> tuple[nn.Module, tuple[Tensor, ...]]:
    """With Conv1D and a tied head, as in the transformers library."""
    return _gpt2(Conv1D, tied=True), (tokens(),)


def nano_gpt() -> tuple[nn.Module, tuple[Tensor, ...]]:
    """GPT-2's names over plain linear layers, and a head of its own."""
    return _gpt2(lambda n, m: nn.Linear(m, n), tied=False), (tokens(),)


def _llama(attention: Callable[[], nn.Module], mlp: Callable[[], nn.Module]) -> nn.Module:
    def layer() -> nn.Module:
        return Tree(
            residual,
            input_layernorm=RMSNorm(WIDTH),
            self_attn=attention(),
            post_attention_layernorm=RMSNorm(WIDTH, offset=1.0),
            mlp=mlp(),
        )

    model = Tree(
        chain,
        embed_tokens=nn.Embedding(VOCABULARY, WIDTH),
        layers=layers(layer),
        norm=nn.RMSNorm(WIDTH),
    )
    full = Tree(chain, model=model, lm_head=nn.Linear(WIDTH, VOCABULARY, bias=False))
    full.config = {"num_attention_heads": HEADS, "num_key_value_heads": 2}
    return full


def llama() -> tuple[nn.Module, tuple[Tensor, ...]]:
    """Two key heads for four query heads; one gain counts from 1, as Gemma's do."""
    return _llama(
        lambda: Tree(
            separate("q_proj", "k_proj", "v_proj", "o_proj"),
            q_proj=linear(WIDTH, WIDTH),
            k_proj=linear(2 * HEAD, WIDTH),
            v_proj=linear(2 * HEAD, WIDTH),
            o_proj=linear(WIDTH, WIDTH),
        ),
        lambda: Tree(
            gated("gate_proj", "up_proj", "down_proj"),
            gate_proj=linear(HIDDEN, WIDTH),
            up_proj=linear(HIDDEN, WIDTH),
            down_proj=linear(WIDTH, HIDDEN),
        ),
    ), (tokens(),)


def phi3() -> tuple[nn.Module, tuple[Tensor, ...]]:
    """Fused q, k, v of unequal sizes, and fused gate and input."""

    def attend(module: Tree, x: Tensor) -> Tensor:
        return module.o_proj(mix(*module.qkv_proj(x).split((WIDTH, 2 * HEAD, 2 * HEAD), -1)))

    def gated(module: Tree, x: Tensor) -> Tensor:
        gate, into = module.gate_up_proj(x).chunk(2, -1)
        return module.down_proj(functional.silu(gate) * into)

    return _llama(
        lambda: Tree(attend, qkv_proj=linear(WIDTH + 4 * HEAD, WIDTH), o_proj=linear(WIDTH, WIDTH)),
        lambda: Tree(
            gated, gate_up_proj=linear(2 * HIDDEN, WIDTH), down_proj=linear(WIDTH, HIDDEN)
        ),
    ), (tokens(),)


def neox() -> tuple[nn.Module, tuple[Tensor, ...]]:
    """The rows of the fused projection run head by head."""

    def attend(module: Tree, x: Tensor) -> Tensor:
        fused = module.query_key_value(x).unflatten(-1, (HEADS, 3, HEAD))
        return module.dense(mix(*(part.flatten(2) for part in fused.unbind(-2))))

    def layer() -> nn.Module:
        return Tree(
            residual,
            input_layernorm=nn.LayerNorm(WIDTH),
            attention=Tree(
                attend,
                query_key_value=nn.Linear(WIDTH, 3 * WIDTH),
                dense=nn.Linear(WIDTH, WIDTH),
                num_attention_heads=HEADS,
            ),
            post_attention_layernorm=nn.LayerNorm(WIDTH),
            mlp=Tree(
                mlp("dense_h_to_4h", "dense_4h_to_h"),
                dense_h_to_4h=nn.Linear(WIDTH, HIDDEN),
                dense_4h_to_h=nn.Linear(HIDDEN, WIDTH),
            ),
        )

    body = Tree(
        chain,
        embed_in=nn.Embedding(VOCABULARY, WIDTH),
        layers=layers(layer),
        final_layer_norm=nn.LayerNorm(WIDTH),
    )
    return Tree(chain, gpt_neox=body, embed_out=linear(VOCABULARY, WIDTH)), (tokens(),)


def mixture() -> tuple[nn.Module, tuple[Tensor, ...]]:
    """A router, experts as modules, and experts stacked in one tensor of either layout."""

    class StackedExperts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate_up_proj = nn.Parameter(torch.randn(3, WIDTH, 2 * HIDDEN))
            self.down_proj = nn.Parameter(torch.randn(3, HIDDEN, WIDTH))
            self.down_proj_bias = nn.Parameter(torch.randn(3, WIDTH))

    def expert() -> nn.Module:
        return Tree(
            gated("w1", "w3", "w2"),
            w1=linear(HIDDEN, WIDTH),
            w2=linear(WIDTH, HIDDEN),
            w3=linear(HIDDEN, WIDTH),
        )

    def layer() -> nn.Module:
        def forward(module: Tree, x: Tensor) -> Tensor:
            return x + module.gate(x)[..., :1] * module.experts[0](x) + module.experts[1](x)

        moe = Tree(
            forward,
            gate=linear(3, WIDTH),
            experts=nn.ModuleList((expert(), expert())),
            stacked_experts=StackedExperts(),
        )
        return Tree(chain, block_sparse_moe=moe)

    embed = nn.Embedding(VOCABULARY, WIDTH)
    return Tree(chain, embed_tokens=embed, layers=layers(layer)), (tokens(),)


def lab_gpt() -> tuple[nn.Module, tuple[Tensor, ...]]:
    """The project's GPT with value embeddings, SwiGLU and all gains and biases."""
    config = preset(
        "modern",
        vocabulary=VOCABULARY,
        width=WIDTH,
        context=CONTEXT,
        norm_gain=True,
        bias=True,
        activation="swiglu",
        position="learned",
        value_embeddings=1,
        init="default",
        zero_init_projections=False,
    )
    return GPT(config), (tokens(),)


def lab_nanogpt() -> tuple[nn.Module, tuple[Tensor, ...]]:
    """The project's GPT with one matrix for each head."""
    return GPT(
        preset("nanogpt", vocabulary=VOCABULARY, width=WIDTH, context=CONTEXT, layers=LAYERS)
    ), (tokens(),)
