"""SpecGD against the least-squares steps of descent/, and its bad inputs."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from spectrain.core import InputError
from spectrain.descent import LeastSquares
from spectrain.optim import SpecGD


def test_with_natural_rates_it_takes_the_natural_steps(generator: torch.Generator) -> None:
    features = torch.randn(5, 30, generator=generator, dtype=torch.float64).relu()
    problem = LeastSquares(features, torch.randn(4, 30, generator=generator, dtype=torch.float64))
    start = torch.randn(4, 5, generator=generator, dtype=torch.float64)
    for step, rate, expected in (
        ("spectral", 1 / problem.spectral_curvature, problem.spectral_step(start)),
        ("euclidean", 1 / problem.euclidean_curvature, problem.euclidean_step(start)),
    ):
        weights = torch.nn.Parameter(start.clone())
        weights.grad = problem.gradient(start)
        SpecGD([weights], lr=rate.item(), step=step).step()
        assert torch.allclose(weights, expected, rtol=1e-12)


def test_the_step_of_a_gain_is_a_sign_step() -> None:
    gain = torch.nn.Parameter(torch.ones(3))
    gain.grad = torch.tensor([0.5, -2.0, 0.0])
    SpecGD([gain], lr=0.1).step()
    assert torch.allclose(gain, torch.tensor([0.75, 1.25, 1.0]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": -1.0}, "lr is -1.0"),
        ({"lr": 0.1, "step": "sideways"}, "step is 'sideways'"),
    ],
)
def test_bad_settings_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SpecGD([torch.nn.Parameter(torch.ones(2, 2))], **options)
