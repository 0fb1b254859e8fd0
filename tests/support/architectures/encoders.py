"""Encoders of text, and PyTorch's own transformers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from support.architectures.building import (
    CONTEXT,
    HEADS,
    HIDDEN,
    LAYERS,
    VOCABULARY,
    WIDTH,
    RMSNorm,
    Tree,
    chain,
    gated,
    layers,
    linear,
    mix,
    tokens,
)


def bert() -> tuple[nn.Module, tuple[Tensor, ...]]:
    """Post-norm; attention and MLP spread over nested modules."""

    def layer() -> nn.Module:
        def forward(module: Tree, x: Tensor) -> Tensor:
            own = module.attention.self
            mixed = module.attention.output.dense(mix(own.query(x), own.key(x), own.value(x)))
            x = module.attention.output.LayerNorm(x + mixed)
            hidden = functional.gelu(module.intermediate.dense(x))
            return module.output.LayerNorm(x + module.output.dense(hidden))

        projections = {name: nn.Linear(WIDTH, WIDTH) for name in ("query", "key", "value")}
        return Tree(
            forward,
            attention=Tree(
                chain,
                self=Tree(chain, **projections, num_attention_heads=HEADS),
                output=Tree(chain, dense=nn.Linear(WIDTH, WIDTH), LayerNorm=nn.LayerNorm(WIDTH)),
            ),
            intermediate=Tree(chain, dense=nn.Linear(WIDTH, HIDDEN)),
            output=Tree(chain, dense=nn.Linear(HIDDEN, WIDTH), LayerNorm=nn.LayerNorm(WIDTH)),
        )

    def embed(module: Tree, ids: Tensor) -> Tensor:
        places = torch.arange(ids.shape[1])
        total = module.word_embeddings(ids) + module.position_embeddings(places)
        return module.LayerNorm(total + module.token_type_embeddings(torch.zeros_like(ids)))

    embeddings = Tree(
        embed,
        word_embeddings=nn.Embedding(VOCABULARY, WIDTH),
        position_embeddings=nn.Embedding(CONTEXT, WIDTH),
        token_type_embeddings=nn.Embedding(2, WIDTH),
        LayerNorm=nn.LayerNorm(WIDTH),
    )
    body = Tree(
        chain,
        embeddings=embeddings,
        encoder=Tree(chain, layer=layers(layer)),
        pooler=Tree(chain, dense=nn.Linear(WIDTH, WIDTH)),
    )
    return Tree(chain, bert=body, classifier=nn.Linear(WIDTH, 3)), (tokens(),)


def t5() -> tuple[nn.Module, tuple[Tensor, ...]]:
    """Sublayers in numbered lists; norms that are named layer norms and have no bias."""

    def sublayer(**branch: nn.Module) -> nn.Module:
        (name,) = branch

        def forward(module: Tree, x: Tensor) -> Tensor:
            return x + getattr(module, name)(module.layer_norm(x))

        return Tree(forward, **branch, layer_norm=RMSNorm(WIDTH))

    def block() -> nn.Module:
        def attend(module: Tree, x: Tensor) -> Tensor:
            bias = module.relative_attention_bias(torch.arange(x.shape[1]))
            return module.o(mix(module.q(x), module.k(x), module.v(x))) + bias[:, :1]

        projections = {name: linear(WIDTH, WIDTH) for name in "qkvo"}
        attention = Tree(attend, **projections, n_heads=HEADS)
        attention.relative_attention_bias = nn.Embedding(8, HEADS)
        dense = Tree(
            gated("wi_0", "wi_1", "wo"),
            wi_0=linear(HIDDEN, WIDTH),
            wi_1=linear(HIDDEN, WIDTH),
            wo=linear(WIDTH, HIDDEN),
        )
        return Tree(
            chain,
            layer=nn.Sequential(sublayer(SelfAttention=attention), sublayer(DenseReluDense=dense)),
        )

    model = Tree(
        chain,
        shared=nn.Embedding(VOCABULARY, WIDTH),
        encoder=Tree(chain, block=layers(block), final_layer_norm=RMSNorm(WIDTH)),
        lm_head=linear(VOCABULARY, WIDTH),
    )
    return model, (tokens(),)


def torch_encoder() -> tuple[nn.Module, tuple[Tensor, ...]]:
    layer = nn.TransformerEncoderLayer(WIDTH, HEADS, HIDDEN, dropout=0.0, batch_first=True)
    return nn.TransformerEncoder(layer, LAYERS), (torch.randn(3, CONTEXT, WIDTH),)


def torch_decoder() -> tuple[nn.Module, tuple[Tensor, ...]]:
    layer = nn.TransformerDecoderLayer(WIDTH, HEADS, HIDDEN, dropout=0.0)
    x, memory = torch.randn(CONTEXT, 3, WIDTH), torch.randn(5, 3, WIDTH)
    return nn.TransformerDecoder(layer, LAYERS), (x, memory)
