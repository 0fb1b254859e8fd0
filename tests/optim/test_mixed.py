"""The mixed step against its definition, block by block."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from spectrain.core import InputError, Plan, Step
from spectrain.optim import mixed_step
from spectrain.optim.spectral_descent import SpecGD


def spectral(gradient: Tensor) -> Tensor:
    u, s, vh = torch.linalg.svd(gradient.double(), full_matrices=False)
    return (s.sum() * u @ vh).float()


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(6, 2, bias=False)
        self.norm = nn.RMSNorm(6)
        self.head = nn.Linear(6, 5, bias=False)


def with_gradients() -> Model:
    torch.manual_seed(0)
    model = Model()
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    return model


def test_spectral_on_the_chosen_set_and_euclidean_elsewhere() -> None:
    model = with_gradients()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    fused = {f"attention.in_proj_weight[{part}]": Step.SPECTRAL for part in "qkv"}
    plan = Plan({**fused, "norm.weight": Step.SPECTRAL, "head.weight": Step.EUCLIDEAN})
    mixed_step(model, plan, spectral_lr=0.1, euclidean_lr=0.5).step()
    moved = {name: p.detach() - before[name] for name, p in model.named_parameters()}
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    parts = gradients["attention.in_proj_weight"].chunk(3)
    gain = gradients["norm.weight"]
    expected = {
        "attention.in_proj_weight": -0.1 * torch.cat([spectral(part) for part in parts]),
        "norm.weight": -0.1 * gain.abs().sum() * gain.sign(),
        "attention.out_proj.weight": -0.5 * gradients["attention.out_proj.weight"],
        "head.weight": -0.5 * gradients["head.weight"],
    }
    for name, step in expected.items():
        assert torch.allclose(moved[name], step, atol=2e-6), name


def test_heads_take_steps_of_their_own() -> None:
    model = with_gradients()
    names = [f"attention.in_proj_weight[{p}.head {h}]" for p in "qkv" for h in range(2)]
    before = model.attention.in_proj_weight.detach().clone()
    plan = Plan(dict.fromkeys(names, Step.SPECTRAL))
    mixed_step(model, plan, spectral_lr=1, euclidean_lr=0).step()
    expected = torch.cat([spectral(part) for part in model.attention.in_proj_weight.grad.chunk(6)])
    assert torch.allclose(before - model.attention.in_proj_weight.detach(), expected, atol=2e-5)


def test_experts_of_a_stack_take_steps_of_their_own() -> None:
    weight = nn.Parameter(torch.zeros(3, 4, 2))
    weight.grad = torch.randn(3, 4, 2, generator=torch.Generator().manual_seed(0))
    SpecGD([weight], lr=1.0, cut=3).step()
    expected = torch.stack([spectral(expert) for expert in weight.grad])
    assert torch.allclose(-weight.detach(), expected, atol=1e-5)


def test_what_is_no_cut_of_a_parameter_is_refused() -> None:
    model = with_gradients()
    some = Plan({"attention.in_proj_weight[q]": Step.SPECTRAL})
    with pytest.raises(InputError, match="not equal parts of it"):
        mixed_step(model, some, spectral_lr=0.1, euclidean_lr=0.1)
    columns = [f"attention.out_proj.weight[head {h}]" for h in range(2)]
    with pytest.raises(InputError, match="not equal parts of it"):
        mixed_step(
            model, Plan(dict.fromkeys(columns, Step.SPECTRAL)), spectral_lr=1, euclidean_lr=1
        )
    with pytest.raises(InputError, match="has no 4 equal parts"):
        SpecGD([model.head.weight], lr=0.1, cut=4)
