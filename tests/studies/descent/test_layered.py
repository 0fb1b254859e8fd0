"""Derivatives and inequalities of §4 against automatic differentiation and by hand."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
import pytest
import torch

from spectrain.descent import hessian_constants
from spectrain_studies.descent.layered.attention import (
    Attention,
    attend,
    moved_output,
    run_attention,
    torn_between_two,
)
from spectrain_studies.descent.layered.experiment import (
    SMOOTH,
    Network,
    columnwise_feature_constant,
    hessian_product,
    propagate,
    quadratic_form,
    run_network,
)
from spectrain_studies.descent.layered.one_step import (
    Algebra,
    Descending,
    Stepped,
    run_algebra,
    run_descending,
    run_stepped,
)
from spectrain_studies.descent.mean_spike.experiment import Spiked, run_spiked


def network(**changed: Any) -> Network:
    given = {
        "activation": "tanh",
        "loss": "squared",
        "depth": 3,
        "width": 4,
        "samples": 5,
        "scale": 1.0,
        "directions": 2,
        "rounds": 3,
        "seed": 0,
    }
    return Network(**{**given, **changed})


@pytest.mark.parametrize("name", SMOOTH)
def test_bounds_on_derivatives_of_activations(name: str) -> None:
    smooth = SMOOTH[name]
    t = torch.linspace(-8, 8, 40_001, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(smooth.value(t).sum(), t, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), t)
    assert torch.allclose(slope, smooth.slope(t), atol=1e-12)
    assert torch.allclose(curvature, smooth.curvature(t), atol=1e-12)
    assert smooth.slope(t).abs().max().item() == pytest.approx(smooth.top_slope, rel=1e-5)
    assert smooth.curvature(t).abs().max().item() == pytest.approx(smooth.top_curvature, rel=1e-5)


@pytest.mark.parametrize("activation", SMOOTH)
def test_propagated_derivatives_are_those_of_the_path(activation: str) -> None:
    case = network(activation=activation)
    weights, inputs, _ = case.draw()
    direction = tuple(torch.roll(w, 1, 0) for w in weights)

    def path(t: torch.Tensor) -> torch.Tensor:
        return case.preactivations(
            tuple(w + t * d for w, d in zip(weights, direction, strict=True)), inputs
        )[-1]

    zero = torch.zeros((), dtype=torch.float64)
    once, twice = propagate(case, weights, direction, inputs)
    slope = torch.autograd.functional.jacobian(path, zero)
    curvature = torch.autograd.functional.jacobian(
        lambda t: torch.autograd.functional.jacobian(path, t, create_graph=True), zero
    )
    assert torch.allclose(once[-1], slope)
    assert torch.allclose(twice[-1], curvature)


@pytest.mark.parametrize("loss", ["squared", "cross-entropy"])
def test_curvature_along_a_direction(loss: str) -> None:
    case = network(loss=loss)
    weights, inputs, targets = case.draw()
    f = case.loss_of(inputs, targets)
    direction = tuple(torch.roll(w, 1, 0) for w in weights)
    step = 1e-4
    moved = [
        f(*(w + sign * step * d for w, d in zip(weights, direction, strict=True)))
        for sign in (1, 0, -1)
    ]
    expected = (moved[0] - 2 * moved[1] + moved[2]) / step**2
    assert quadratic_form(f, weights, direction) == pytest.approx(expected.item(), rel=1e-5)
    assert len(hessian_product(f, weights, direction)) == 3


@pytest.mark.parametrize("loss", ["squared", "cross-entropy"])
def test_outer_gradient_and_bounds(loss: str) -> None:
    case = network(loss=loss)
    weights, inputs, targets = case.draw()
    last = case.preactivations(weights, inputs)[-1].requires_grad_()
    (gradient,) = torch.autograd.grad(case.outer(last, targets), last)
    assert torch.allclose(gradient, case.outer_gradient(last, targets))
    bounds = case.bounds(weights, last, targets)
    assert bounds.loss_slope == pytest.approx(gradient.norm().item())
    found = run_network(case)
    assert found["feature"] == pytest.approx(hessian_constants(bounds)[0])
    assert max(found[name] for name in ("first", "second", "hessian", "repaired_hessian")) <= 1


def test_the_repaired_constant_is_below_the_printed_one_and_equal_for_one_column() -> None:
    many, one = (run_network(network(samples=n)) for n in (64, 1))
    assert many["columnwise"] < 0.5 * many["feature"]
    assert one["columnwise"] == pytest.approx(one["feature"])
    case = network()
    weights, inputs, targets = case.draw()
    bounds = case.bounds(weights, case.preactivations(weights, inputs)[-1], targets)
    assert columnwise_feature_constant(bounds, 0.0) < hessian_constants(bounds)[0]


def test_derivative_of_attention() -> None:
    generator = torch.Generator().manual_seed(0)
    at = tuple(torch.randn(4, 6, dtype=torch.float64, generator=generator) for _ in range(3))
    way = tuple(torch.randn(4, 6, dtype=torch.float64, generator=generator) for _ in range(3))
    expected = torch.autograd.functional.jvp(attend, at, way)[1]
    assert torch.allclose(moved_output(at, way), expected)  # type: ignore[arg-type]


def test_attention_torn_between_two_keys_moves_with_its_size() -> None:
    """J_Φ is at least √(d(n − 2))/2 where the softmax is split evenly."""
    for size in (32, 64):
        assert run_attention(Attention("torn", size, 0))["slope"] > 0.95 * sqrt(
            size * (size - 2)
        ) / 2 * (1 - size * np.exp(-sqrt(size / 2)))
    _, weights = torn_between_two(16)
    assert all(torch.linalg.matrix_norm(w, 2).item() == pytest.approx(1.0) for w in weights)


def test_steps_of_layered_networks_gain_their_guarantees() -> None:
    """With constants as tight as the curvature along the step: 1.2 to 1.4 times, and not twice."""
    found = run_stepped(Stepped(network(width=3)))
    assert 1 - 1e-9 <= min(found.values()) <= max(found.values()) < 1.9


@pytest.mark.parametrize("problem", ["cross-entropy", "gain"])
def test_steps_of_convex_problems_gain_their_guarantees(problem: str) -> None:
    found = run_descending(Descending(problem, "uneven", "bare", 10, 0))
    assert min(found["euclidean"].min(), found["spectral"].min()) > 1 - 1e-7
    if problem == "gain":
        np.testing.assert_allclose(found["spectral"], 1.0, atol=1e-7)


def test_algebra() -> None:
    found = run_algebra(Algebra(20, 0))
    np.testing.assert_array_equal(found["sufficient"], found["with_nuclear"])
    assert found["exact"][found["sufficient"]].all()
    assert 0 < found["sufficient"].mean() < found["exact"].mean() < 1
    assert min(found["blocked"], found["weighted"]) > 1 - 1e-9


def test_the_spike_is_that_of_the_table_and_absent_with_gates() -> None:
    """Shares at width 128: ReLU 0.320, SwiGLU 0.010."""
    relu, gated = (run_spiked(Spiked(name, 128, 0)) for name in ("relu", "swiglu"))
    assert relu["share"] == pytest.approx(1 / np.pi, rel=0.05)
    assert relu["rank"] * relu["share"] <= 1
    assert gated["share"] < 0.03
    assert gated["rank"] > 5 * relu["rank"]
