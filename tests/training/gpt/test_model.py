"""The model against a transcription of its formulas, columns as positions, in float64."""

import math
from typing import Any

import pytest
import torch

from spectrain.core import InputError
from spectrain.training.gpt import GPT, GPTConfig, preset

SMALL: dict[str, Any] = {"vocabulary": 11, "layers": 2, "heads": 2, "width": 8, "context": 6}
VARIANTS: dict[str, dict[str, Any]] = {
    "nanogpt": {"norm": "layernorm", "bias": True, "activation": "relu", "separate_heads": True},
    "modern": {
        "norm": "rmsnorm",
        "norm_gain": False,
        "activation": "relu2",
        "position": "rope",
        "qk_norm": True,
        "init": "fan_in",
    },
    "llama": {"norm": "rmsnorm", "activation": "swiglu", "position": "rope", "init": "normal"},
    "gpt2": {"bias": True, "qkv_bias": True, "activation": "gelu", "tied": True, "init": "normal"},
    "values": {"value_embeddings": 1, "qk_norm": True, "mlp_ratio": 1.5, "norm_gain": False},
    "heads with positions": {"separate_heads": True, "position": "rope", "qkv_bias": True},
}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def make(variant):
    model = GPT(GPTConfig(**SMALL, **VARIANTS[variant]), generator=seeded()).double()
    for parameter in model.parameters():  # gains and biases take part too
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=seeded(1)).double()
    return model


def naive_linear(layer, x):
    y = layer.weight @ x
    return y if layer.bias is None else y + layer.bias[:, None]


def naive_norm(layer, config, x):
    if config.norm == "layernorm":
        x = x - x.mean(0)
        y = x / (x.square().mean(0) + 1e-5).sqrt()
    else:
        y = x / (x.square().mean(0) + torch.finfo(x.dtype).eps).sqrt()
    if layer.weight is not None:
        y = layer.weight[:, None] * y
    return y if getattr(layer, "bias", None) is None else y + layer.bias[:, None]


def naive_turn(x):
    """Complex pairs times e^(i t b^(-2j/d)), one position t and pair j after the other."""
    half = len(x) // 2
    y = torch.empty_like(x)
    for j in range(half):
        for t in range(x.shape[1]):
            turned = complex(x[j, t], x[j + half, t]) * torch.e ** (1j * t * 10_000 ** (-j / half))
            y[j, t], y[j + half, t] = turned.real, turned.imag
    return y


def naive_attention(attention, config, x, value_embedding):
    d, time = config.head_width, x.shape[1]
    mixtures = []
    for h in range(config.heads):
        rows = slice(h * d, (h + 1) * d)
        if config.separate_heads:
            q, k, v = (
                naive_linear(heads[h], x)
                for heads in (attention.query, attention.key, attention.value)
            )
        else:
            q, k, v = (
                naive_linear(layer, x)[rows]
                for layer in (attention.query, attention.key, attention.value)
            )
        if value_embedding is not None:
            v = v + value_embedding[rows]
        if config.qk_norm:
            q, k = (y / (y.square().mean(0) + torch.finfo(y.dtype).eps).sqrt() for y in (q, k))
        if config.position == "rope":
            q, k = naive_turn(q), naive_turn(k)
        scores = k.T @ q / math.sqrt(d)
        future = torch.ones(time, time).tril(-1).bool()  # row: key, column: query
        mixtures.append(v @ scores.masked_fill(future, -torch.inf).softmax(0))
    return naive_linear(attention.output, torch.cat(mixtures))


def naive_mlp(mlp, config, x):
    up = naive_linear(mlp.expand, x)
    hidden = {
        "relu": lambda: up.clamp(min=0),
        "relu2": lambda: up.clamp(min=0) ** 2,
        "gelu": lambda: up * 0.5 * (1 + torch.erf(up / math.sqrt(2))),
        "swiglu": lambda: (g := naive_linear(mlp.gate, x)) / (1 + torch.exp(-g)) * up,
    }[config.activation]()
    return naive_linear(mlp.contract, hidden)


def naive_logits(model, tokens):
    config = model.config
    x = model.embedding.weight[tokens].T
    if config.position == "learned":
        x = x + model.position.weight[: len(tokens)].T
    for number, block in enumerate(model.blocks):
        table = None
        if config.value_embeddings and number < config.value_embeddings:
            table = model.value_embeddings[number]
        elif number >= config.layers - config.value_embeddings:
            table = model.value_embeddings[number - config.layers + config.value_embeddings]
        added = None if table is None else table.weight[tokens].T
        normed = naive_norm(block.attention_norm, config, x)
        x = x + naive_attention(block.attention, config, normed, added)
        x = x + naive_mlp(block.mlp, config, naive_norm(block.mlp_norm, config, x))
    return naive_linear(model.head, naive_norm(model.final_norm, config, x)).T


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("time", [1, 6])
def test_logits_equal_the_formulas(variant, time):
    model = make(variant)
    tokens = torch.randint(11, (3, time), generator=seeded(2))
    with torch.no_grad():
        logits = model(tokens)
        for row in range(3):
            # Rotations are tabulated in float32: 2e-7 there, 1e-14 elsewhere.
            tolerance = 2e-6 if model.config.position == "rope" else 1e-12
            expected = naive_logits(model, tokens[row])
            torch.testing.assert_close(logits[row], expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_position_does_not_see_later_ones(variant):
    model = make(variant)
    tokens = torch.randint(11, (1, 6), generator=seeded(2))
    changed = tokens.clone()
    changed[0, 4] = (tokens[0, 4] + 1) % 11
    before, after = model(tokens)[0], model(changed)[0]
    torch.testing.assert_close(before[:4], after[:4], rtol=0, atol=1e-14)
    assert (before[4:] - after[4:]).abs().amin(0).max() > 1e-6


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_parameter_gets_a_gradient(variant):
    model = make(variant)
    tokens = torch.randint(11, (3, 7), generator=seeded(2))
    model.loss(tokens[:, :-1], tokens[:, 1:]).backward()
    assert all(parameter.grad.any() for parameter in model.parameters())


def test_loss_is_the_mean_cross_entropy_in_nats():
    model = make("nanogpt")
    tokens = torch.randint(11, (2, 5), generator=seeded(2))
    targets = torch.randint(11, (2, 5), generator=seeded(3))
    probabilities = model(tokens).softmax(-1).gather(-1, targets[..., None])
    torch.testing.assert_close(model.loss(tokens, targets), -probabilities.log().mean())


def test_modules_have_the_agreed_names():
    names = set(dict(GPT(preset("nanogpt", vocabulary=65)).named_parameters()))
    block = {
        *(
            f"attention.{part}.{head}.weight"
            for part in ("query", "key", "value")
            for head in range(4)
        ),
        *(
            f"{module}.{kind}"
            for module in (
                *("attention_norm", "attention.output", "mlp_norm", "mlp.expand", "mlp.contract"),
            )
            for kind in ("weight", "bias")
        ),
    }
    outside = {"embedding.weight", "position.weight", "head.weight", "head.bias"}
    norms = {"final_norm.weight", "final_norm.bias"}
    assert names == outside | norms | {f"blocks.{n}.{name}" for n in range(4) for name in block}
    gated = GPT(preset("modern", vocabulary=5, activation="swiglu", value_embeddings=1))
    assert {
        "blocks.0.mlp.gate.weight",
        "value_embeddings.0.weight",
        "blocks.3.attention.query.weight",
    } <= set(dict(gated.named_parameters()))


def test_the_mlp_output_matrix_is_fed_the_post_activation():
    model = make("modern")
    seen = []
    model.blocks[0].mlp.contract.register_forward_pre_hook(
        lambda module, args: seen.append(args[0])
    )
    model(torch.zeros(1, 3, dtype=torch.long))
    assert seen[0].shape == (1, 3, 32)
    assert (seen[0] >= 0).all()


def test_zero_projections_start_as_the_identity():
    model = GPT(preset("modern", vocabulary=65), generator=seeded())
    tokens = torch.randint(65, (2, 9), generator=seeded(2))
    x = model.embedding(tokens)
    assert torch.equal(model.blocks[0](x), x)
    assert model.loss(tokens, tokens).item() == pytest.approx(math.log(65), rel=1e-6)


def test_a_tied_head_is_not_zeroed():
    model = GPT(preset("modern", vocabulary=65, tied=True), generator=seeded())
    assert model.head.weight is model.embedding.weight
    assert model.head.weight.any()
    assert not model.blocks[0].mlp.contract.weight.any()


@pytest.mark.parametrize("variant", VARIANTS)
def test_bfloat16_and_autocast_run(variant):
    model = make(variant)
    tokens = torch.randint(11, (2, 6), generator=seeded(2))
    expected = model(tokens).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = model.float()(tokens)
    half = model.bfloat16()(tokens)
    assert mixed.dtype == half.dtype == torch.bfloat16
    for logits in (mixed, half):  # measured: at most 0.03 of the largest logit
        assert (logits.float() - expected).abs().max() < 0.1 * expected.abs().max()


def test_too_long_a_sequence_is_named():
    with pytest.raises(InputError, match="7 tokens and the context 6"):
        make("nanogpt")(torch.zeros(1, 7, dtype=torch.long))
