from math import sqrt

import pytest
import torch
from torch import nn

from spectrain.training.gpt import GPT, preset

SCHEMES = ("default", "normal", "fan_in")


def build(scheme, seed=0, **fields):
    options = {"zero_init_projections": False, "bias": True, "init": scheme, **fields}
    generator = torch.Generator().manual_seed(seed)
    return GPT(preset("modern", vocabulary=97, **options), generator=generator)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_seed_determines_the_weights(scheme):
    first, same, other = (build(scheme, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert all(
        not torch.equal(first[name], other[name]) for name in first if name.endswith("weight")
    )


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_passed_generator_leaves_the_global_one_alone(scheme):
    before = torch.get_rng_state()
    build(scheme)
    assert torch.equal(torch.get_rng_state(), before)


def test_without_a_generator_the_global_one_draws():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        first = GPT(preset("modern", vocabulary=97))
        torch.manual_seed(3)
        same = GPT(preset("modern", vocabulary=97))
        assert torch.equal(first.embedding.weight, same.embedding.weight)
        other = GPT(preset("modern", vocabulary=97))
        assert not torch.equal(first.embedding.weight, other.embedding.weight)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_weights_have_the_stated_distribution(scheme):
    for module in build(scheme).modules():
        if not isinstance(module, nn.Linear | nn.Embedding):
            continue
        weight = module.weight.detach().double()
        inputs = weight.shape[1]
        deviation, bound = {
            "default": (1 / sqrt(3 * inputs), 1 / sqrt(inputs)),
            "normal": (0.02, torch.inf),
            "fan_in": (0.5 / sqrt(inputs), 0.5 * sqrt(3 / inputs)),
        }[scheme]
        if isinstance(module, nn.Embedding):
            deviation, bound = (0.02 if scheme == "normal" else 1.0), torch.inf
        # Five standard errors of a normal sample's deviation; a uniform sample's is smaller.
        error = 5 / sqrt(2 * weight.numel())
        assert weight.std().item() == pytest.approx(deviation, rel=error)
        assert abs(weight.mean().item()) < 5 * deviation / sqrt(weight.numel())
        assert weight.abs().max() <= bound * (1 + 1e-6)


def test_biases_are_zero_or_those_of_pytorch():
    for scheme in SCHEMES:
        for module in build(scheme, qkv_bias=True).modules():
            if isinstance(module, nn.Linear):
                bound = 1 / sqrt(module.in_features) if scheme == "default" else 0
                assert module.bias.abs().max() <= bound
                assert module.bias.any() == (scheme == "default")


def test_nanogpt_starts_with_the_variance_of_pytorch():
    model = GPT(preset("nanogpt", vocabulary=65), generator=torch.Generator().manual_seed(0))
    heads = torch.stack([head.weight for block in model.blocks for head in block.attention.key])
    variance = 64 * heads.double().square().mean().item()  # 1/3, within 5 standard errors
    assert variance == pytest.approx(1 / 3, rel=5 * sqrt(4 / 5 / heads.numel()))


def test_a_tied_matrix_is_drawn_as_the_head():
    weight = build("default", tied=True).embedding.weight
    assert weight.abs().max() <= 1 / sqrt(128)
