"""The rules against optimizers that packages ship: what they do, read off the weights."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from spectrain.optim.rules import Decay, Form, Rule, resolve
from spectrain.regime import equilibrium
from support.simulated import run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # theirs
]
SHAPE = (24, 32)
Make = Callable[[Any, list[nn.Parameter]], Optimizer]


def one(name: str, **options: Any) -> Make:
    return lambda package, params: getattr(package, name)(params, **options)


def grouped(name: str, *, group: dict[str, Any], **options: Any) -> Make:
    return lambda package, params: getattr(package, name)([{"params": params, **group}], **options)


MUON, ADAM = {"use_muon": True}, {"use_muon": False}
DECAY = {"lr": 0.01, "weight_decay": 0.1}
THEIRS: dict[str, tuple[str, Make, str, bool]] = {
    "lion": ("lion_pytorch", one("Lion", **DECAY), "lion", False),
    "lion, decay by its first rate": (
        "lion_pytorch",
        one("Lion", lr=0.01, weight_decay=0.001, decoupled_weight_decay=True),
        "lion",
        False,
    ),
    "muon": ("muon", one("SingleDeviceMuon", **DECAY), "jordan_muon", True),
    "muon of a mixed class": (
        "muon",
        grouped("SingleDeviceMuonWithAuxAdam", group={**MUON, **DECAY, "momentum": 0.9}),
        "jordan_muon",
        True,
    ),
    "adam of a mixed class": (
        "muon",
        grouped(
            "SingleDeviceMuonWithAuxAdam",
            group={**ADAM, **DECAY, "betas": (0.9, 0.95), "eps": 1e-8},
        ),
        "jordan_adam",
        False,
    ),
    "po muon": ("pytorch_optimizer", grouped("Muon", group=MUON), "orthogonal", True),
    "po adam of muon": ("pytorch_optimizer", grouped("Muon", group=ADAM), "fallback", False),
    "po normuon": ("pytorch_optimizer", grouped("NorMuon", group=MUON), "orthogonal", True),
    "po lion": ("pytorch_optimizer", one("Lion", weight_decouple=True, **DECAY), "lion", False),
    "po soap": ("pytorch_optimizer", one("SOAP", **DECAY), "soap", False),
    "po shampoo": ("pytorch_optimizer", one("Shampoo", **DECAY), "shampoo", False),
    "po stable adamw": ("pytorch_optimizer", one("StableAdamW", **DECAY), "unknown", False),
    "po adabelief": ("pytorch_optimizer", one("AdaBelief", **DECAY), "unknown", False),
    "schedule-free adamw": (
        "schedulefree",
        one("AdamWScheduleFree", **DECAY),
        "schedule_free",
        False,
    ),
    "schedule-free sgd": ("schedulefree", one("SGDScheduleFree", **DECAY), "schedule_free", False),
    "timm muon": ("timm.optim", one("Muon", **DECAY), "timm_muon", True),
    "timm fallback": (
        "timm.optim",
        grouped("Muon", group={"use_fallback": True}, **DECAY),
        "timm_fallback",
        False,
    ),
}


def made(name: str, parameter: nn.Parameter) -> tuple[Optimizer, Rule]:
    package, make, _, _ = THEIRS[name]
    pytest.importorskip(package, exc_type=ImportError)
    optimizer = make(importlib.import_module(package), [parameter])
    if hasattr(optimizer, "train"):
        optimizer.train()
    return optimizer, resolve(optimizer, optimizer.param_groups[0], parameter)


def stepped(name: str, start: Tensor, gradients: list[Tensor]) -> list[Tensor]:
    """The weights after each step from a start."""
    parameter = nn.Parameter(start.clone())
    optimizer, _ = made(name, parameter)
    path = [start.clone()]
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimizer.step()
        path.append(parameter.detach().clone())
    return path


@pytest.mark.parametrize("name", THEIRS)
def test_the_right_rule_speaks_and_orthogonal_are_those_whose_steps_are(
    name: str, generator: torch.Generator
) -> None:
    """‖UᵀU − I‖_F/√r of the applied steps: 0.1–0.35 after five quintic steps, 0.9 of noise."""
    *_, rule_name, orthogonal = THEIRS[name]
    start = torch.randn(SHAPE, generator=generator)
    _, rule = made(name, nn.Parameter(start.clone()))
    assert rule.name == rule_name
    assert rule.orthogonalizes(SHAPE) is orthogonal
    gradients = [torch.randn(SHAPE, generator=generator) for _ in range(12)]
    path = stepped(name, start, gradients)
    factor = rule.decay_factor()
    step = path[-1].double() - (1.0 if factor is None else factor) * path[-2].double()
    energy = torch.linalg.svdvals(step).square()
    residual = (energy / energy.mean() - 1).square().mean().sqrt().item()
    assert (residual < 0.5) is orthogonal, residual


@pytest.mark.parametrize(
    ("kind", "name", "orthogonal"),
    [
        ("pytorch_optimizer.SpectralSphere", "spectralsphere", True),
        ("heavyball.Muon", "heavyball_orthogonal", True),
        ("heavyball.SOAP", "soap", False),
        ("heavyball.Scion", "heavyball_orthogonal", True),
        ("heavyball.AdamW", "adamw", False),
    ],
)
def test_the_right_rule_speaks_for_what_is_slow_to_step(
    kind: str, name: str, *, orthogonal: bool
) -> None:
    package, _, made_of = kind.partition(".")
    pytest.importorskip(package, exc_type=ImportError)
    parameter = nn.Parameter(torch.ones(SHAPE))
    optimizer = getattr(importlib.import_module(package), made_of)([parameter], lr=0.01)
    rule = resolve(optimizer, optimizer.param_groups[0], parameter)
    assert rule.name == name
    assert rule.orthogonalizes(SHAPE) is orthogonal


@pytest.mark.parametrize("name", THEIRS)
def test_what_a_rule_says_of_the_state_is_so(name: str, generator: torch.Generator) -> None:
    """Of the average on one gradient throughout; of the direction by the last step."""
    gradient = torch.randn(SHAPE, generator=generator)
    parameter = nn.Parameter(torch.randn(SHAPE, generator=generator))
    optimizer, _ = made(name, parameter)
    before = parameter.detach().clone()
    for _ in range(400):
        before = parameter.detach().clone()
        parameter.grad = gradient.clone()
        optimizer.step()
    rule = resolve(optimizer, optimizer.param_groups[0], parameter)
    state = optimizer.state[parameter]
    average, direction = rule.average(state, parameter), rule.direction(state)
    if average is not None:
        assert (average - gradient).norm() < 0.03 * gradient.norm()
    factor = rule.decay_factor()
    if direction is not None and factor is not None:
        step = factor * before.double() - parameter.detach().double()
        assert torch.cosine_similarity(direction.flatten(), step.flatten(), dim=0) > 0.999


@pytest.mark.parametrize("name", THEIRS)
def test_a_decay_that_is_told_is_so(name: str, generator: torch.Generator) -> None:
    """Two starts, one gradient: what is left of their difference is the factor.

    Coupled decay is part of the update, which a preconditioner mixes.
    """
    _, rule = made(name, nn.Parameter(torch.ones(SHAPE)))
    factor = rule.decay_factor()
    if factor is None or rule.form is Form.UNKNOWN or rule.decay is Decay.COUPLED:
        return
    start = torch.randn(SHAPE, generator=generator)
    gradients = [torch.randn(SHAPE, generator=generator) for _ in range(6)]
    one_path, other = stepped(name, start, gradients), stepped(name, 2 * start, gradients)
    left = ((other[-1] - one_path[-1]) * start).sum() / start.square().sum()
    assert 1 - left.item() == pytest.approx(6 * (1 - factor), rel=0.05, abs=1e-5)


@pytest.mark.parametrize("name", ["lion", "muon", "adam of a mixed class", "timm muon"])
def test_noise_settles_where_the_rule_says(name: str, generator: torch.Generator) -> None:
    package, make, _, _ = THEIRS[name]
    found = importlib.import_module(pytest.importorskip(package).__name__)
    shape = (48, 64)

    def strong(params: list[nn.Parameter]) -> Optimizer:
        optimizer = make(found, params)
        optimizer.param_groups[0]["weight_decay"] = 1.0
        return optimizer

    course = run(strong, shape, lambda: torch.randn(shape, generator=generator), steps=900)
    response = course.rule.noise(shape, 1.0)
    assert response is not None
    update = (response if response.energy else response.measured(course.energy)).update
    assert update is not None
    settled = equilibrium(update, learning_rate=0.01, weight_decay=1.0)
    assert course.norm == pytest.approx(settled.norm, rel=0.03)
    assert course.angle == pytest.approx(settled.angular_update, rel=0.03)
    assert course.cosine == pytest.approx(response.successive_cosine, rel=0.03)
