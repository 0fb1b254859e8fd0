"""Small networks with the module names of well-known architectures, none of their code.

Each is a function without arguments that returns a model and the arguments of its forward.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from spectrain.lab.gpt import GPT, preset

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

    def __init__(self, forward: Callable[..., Tensor], /, **children: Any) -> None:
        super().__init__()
        for name, child in children.items():
            setattr(self, name, child)
        self._forward = forward

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


def _fused(name: str, output: str) -> Callable[[Tree, Tensor], Tensor]:
    def forward(module: Tree, x: Tensor) -> Tensor:
        return getattr(module, output)(mix(*getattr(module, name)(x).chunk(3, -1)))

    return forward


def _separate(query: str, key: str, value: str, output: str) -> Callable[[Tree, Tensor], Tensor]:
    def forward(module: Tree, x: Tensor) -> Tensor:
        made = (module.get_submodule(name)(x) for name in (query, key, value))
        return module.get_submodule(output)(mix(*made))

    return forward


def _mlp(into: str, out: str) -> Callable[[Tree, Tensor], Tensor]:
    return lambda module, x: getattr(module, out)(functional.gelu(getattr(module, into)(x)))


def _gated(gate: str, into: str, out: str) -> Callable[[Tree, Tensor], Tensor]:
    return lambda module, x: getattr(module, out)(
        functional.silu(getattr(module, gate)(x)) * getattr(module, into)(x)
    )


def _gpt2(linear: Callable[[int, int], nn.Module], tied: bool) -> nn.Module:
    def block() -> nn.Module:
        return Tree(
            residual,
            ln_1=nn.LayerNorm(WIDTH),
            attn=Tree(
                _fused("c_attn", "c_proj"),
                c_attn=linear(3 * WIDTH, WIDTH),
                c_proj=linear(WIDTH, WIDTH),
            ),
            ln_2=nn.LayerNorm(WIDTH),
            mlp=Tree(
                _mlp("c_fc", "c_proj"), c_fc=linear(HIDDEN, WIDTH), c_proj=linear(WIDTH, HIDDEN)
            ),
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


def _linear(outputs: int, inputs: int) -> nn.Linear:
    return nn.Linear(inputs, outputs, bias=False)


def llama() -> tuple[nn.Module, tuple[Tensor, ...]]:
    """Two key heads for four query heads; one gain counts from 1, as Gemma's do."""
    return _llama(
        lambda: Tree(
            _separate("q_proj", "k_proj", "v_proj", "o_proj"),
            q_proj=_linear(WIDTH, WIDTH),
            k_proj=_linear(2 * HEAD, WIDTH),
            v_proj=_linear(2 * HEAD, WIDTH),
            o_proj=_linear(WIDTH, WIDTH),
        ),
        lambda: Tree(
            _gated("gate_proj", "up_proj", "down_proj"),
            gate_proj=_linear(HIDDEN, WIDTH),
            up_proj=_linear(HIDDEN, WIDTH),
            down_proj=_linear(WIDTH, HIDDEN),
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
        lambda: Tree(
            attend, qkv_proj=_linear(WIDTH + 4 * HEAD, WIDTH), o_proj=_linear(WIDTH, WIDTH)
        ),
        lambda: Tree(
            gated, gate_up_proj=_linear(2 * HIDDEN, WIDTH), down_proj=_linear(WIDTH, HIDDEN)
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
                _mlp("dense_h_to_4h", "dense_4h_to_h"),
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
    return Tree(chain, gpt_neox=body, embed_out=_linear(VOCABULARY, WIDTH)), (tokens(),)


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


class LayerScale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


def vit() -> tuple[nn.Module, tuple[Tensor, ...]]:
    """Timm's names: patches by convolution, a class token, layer scale, a classifier."""

    def block() -> nn.Module:
        def forward(module: Tree, x: Tensor) -> Tensor:
            x = x + module.ls1(module.attn(module.norm1(x)))
            return x + module.mlp(module.norm2(x))

        return Tree(
            forward,
            norm1=nn.LayerNorm(WIDTH),
            attn=Tree(
                _fused("qkv", "proj"),
                qkv=nn.Linear(WIDTH, 3 * WIDTH),
                proj=nn.Linear(WIDTH, WIDTH),
                num_heads=HEADS,
            ),
            ls1=LayerScale(),
            norm2=nn.LayerNorm(WIDTH),
            mlp=Tree(
                _mlp("fc1", "fc2"), fc1=nn.Linear(WIDTH, HIDDEN), fc2=nn.Linear(HIDDEN, WIDTH)
            ),
        )

    def forward(module: Tree, x: Tensor) -> Tensor:
        patches = module.patch_embed.proj(x).flatten(2).mT
        x = torch.cat((module.cls_token.expand(len(x), -1, -1), patches), 1) + module.pos_embed
        return module.head(module.norm(module.blocks(x))[:, 0])

    return Tree(
        forward,
        patch_embed=Tree(chain, proj=nn.Conv2d(3, WIDTH, 4, stride=4)),
        cls_token=nn.Parameter(torch.randn(1, 1, WIDTH)),
        pos_embed=nn.Parameter(torch.randn(1, 5, WIDTH)),
        blocks=layers(block),
        norm=nn.LayerNorm(WIDTH),
        head=nn.Linear(WIDTH, 10),
    ), (images(),)


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

        projections = {name: _linear(WIDTH, WIDTH) for name in "qkvo"}
        attention = Tree(attend, **projections, n_heads=HEADS)
        attention.relative_attention_bias = nn.Embedding(8, HEADS)
        dense = Tree(
            _gated("wi_0", "wi_1", "wo"),
            wi_0=_linear(HIDDEN, WIDTH),
            wi_1=_linear(HIDDEN, WIDTH),
            wo=_linear(WIDTH, HIDDEN),
        )
        return Tree(
            chain,
            layer=nn.Sequential(sublayer(SelfAttention=attention), sublayer(DenseReluDense=dense)),
        )

    model = Tree(
        chain,
        shared=nn.Embedding(VOCABULARY, WIDTH),
        encoder=Tree(chain, block=layers(block), final_layer_norm=RMSNorm(WIDTH)),
        lm_head=_linear(VOCABULARY, WIDTH),
    )
    return model, (tokens(),)


def torch_encoder() -> tuple[nn.Module, tuple[Tensor, ...]]:
    layer = nn.TransformerEncoderLayer(WIDTH, HEADS, HIDDEN, dropout=0.0, batch_first=True)
    return nn.TransformerEncoder(layer, LAYERS), (torch.randn(3, CONTEXT, WIDTH),)


def torch_decoder() -> tuple[nn.Module, tuple[Tensor, ...]]:
    layer = nn.TransformerDecoderLayer(WIDTH, HEADS, HIDDEN, dropout=0.0)
    x, memory = torch.randn(CONTEXT, 3, WIDTH), torch.randn(5, 3, WIDTH)
    return nn.TransformerDecoder(layer, LAYERS), (x, memory)


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
            _gated("w1", "w3", "w2"),
            w1=_linear(HIDDEN, WIDTH),
            w2=_linear(WIDTH, HIDDEN),
            w3=_linear(HIDDEN, WIDTH),
        )

    def layer() -> nn.Module:
        def forward(module: Tree, x: Tensor) -> Tensor:
            return x + module.gate(x)[..., :1] * module.experts[0](x) + module.experts[1](x)

        moe = Tree(
            forward,
            gate=_linear(3, WIDTH),
            experts=nn.ModuleList((expert(), expert())),
            stacked_experts=StackedExperts(),
        )
        return Tree(chain, block_sparse_moe=moe)

    embed = nn.Embedding(VOCABULARY, WIDTH)
    return Tree(chain, embed_tokens=embed, layers=layers(layer)), (tokens(),)


def convolutions() -> tuple[nn.Module, tuple[Tensor, ...]]:
    """Groups, strides, dilation, paddings, transposition and the norms of images."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding="same", dilation=2),
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 8, (3, 2), stride=(2, 1), padding=(2, 1), groups=4, padding_mode="reflect"),
        nn.GroupNorm(2, 8),
        nn.ConvTranspose2d(8, 6, 3, stride=2, output_padding=1),
        LayerNorm2d(6),
        nn.Conv2d(6, 6, 1, groups=6, bias=False),
        nn.InstanceNorm2d(6, affine=True),
        nn.ConvTranspose2d(6, 4, 2, groups=2),
        nn.PReLU(4),
        nn.Flatten(2),
        nn.Conv1d(4, 5, 4, stride=3, padding=1, padding_mode="circular"),
        nn.BatchNorm1d(5),
        nn.ConvTranspose1d(5, 2, 3),
        nn.Unflatten(2, (3, 1, -1)),
        nn.Conv3d(2, 3, (2, 1, 3), dilation=(1, 1, 2), padding="valid"),
    ), (images(),)


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


ARCHITECTURES: dict[str, Build] = {
    build.__name__: build
    for build in (
        *(gpt2, nano_gpt, llama, phi3, neox, bert, vit, t5, torch_encoder, torch_decoder),
        *(mixture, convolutions, lab_gpt, lab_nanogpt),
    )
}
