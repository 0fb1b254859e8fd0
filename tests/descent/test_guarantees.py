"""Guarantees against naive transcriptions of the source's formulas."""

from __future__ import annotations

from itertools import pairwise
from math import sqrt

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spectrain.core import InputError
from spectrain.descent import (
    Curvature,
    Favoured,
    LayerBounds,
    favoured,
    hessian_constants,
    margin,
    natural_steps,
    threshold,
)
from spectrain.matrix import diagonal_spectrum, spectrum

positive = st.floats(0.05, 20.0)


def scalar(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


@given(
    sigma=st.lists(positive, min_size=1, max_size=8),
    euclidean=positive,
    extra=st.floats(1.0, 10.0),
    parameter=st.floats(0.0, 5.0),
)
def test_natural_steps_are_the_naive_formulas(
    sigma: list[float], euclidean: float, extra: float, parameter: float
) -> None:
    spectral = euclidean * extra
    steps = natural_steps(
        diagonal_spectrum(torch.tensor(sigma, dtype=torch.float64)),
        Curvature(scalar(euclidean), scalar(spectral), scalar(parameter)),
    )
    energy, nuclear = sum(s * s for s in sigma), sum(sigma)
    a_gd = euclidean + parameter / (energy / max(sigma) ** 2)
    a_spec = spectral + parameter
    assert steps.euclidean_rate.item() == pytest.approx(1 / a_gd)
    assert steps.spectral_length.item() == pytest.approx(nuclear / a_spec)
    assert steps.euclidean_decrease.item() == pytest.approx(energy / (2 * a_gd))
    assert steps.spectral_decrease.item() == pytest.approx(nuclear**2 / (2 * a_spec))


@given(
    sigma=st.lists(positive, min_size=2, max_size=8), euclidean=positive,
    extra=st.floats(1.0, 10.0), parameter=st.floats(0.0, 5.0),
)  # fmt: skip
def test_the_threshold_is_where_the_guarantees_cross(
    sigma: list[float], euclidean: float, extra: float, parameter: float
) -> None:
    gradient = diagonal_spectrum(torch.tensor(sigma, dtype=torch.float64))
    curvature = Curvature(scalar(euclidean), scalar(euclidean * extra), scalar(parameter))
    ratio = natural_steps(gradient, curvature).ratio.item()
    energy = sum(s * s for s in sigma)
    st_gradient, nr = energy / max(sigma) ** 2, sum(sigma) ** 2 / energy
    bound = threshold(scalar(extra), scalar(st_gradient), scalar(parameter / euclidean)).item()
    assert ratio == pytest.approx(nr / bound)
    if nr >= extra:  # (4.18) is sufficient
        assert ratio >= 1 - 1e-9


def test_margin_of_a_gain_is_its_diagonal_form() -> None:
    gain = torch.tensor([1.0, -2.0, 0.5, 0.0])
    found = margin(diagonal_spectrum(gain), scalar(2.0)).item()
    assert found == pytest.approx(gain.abs().sum().item() ** 2 / gain.square().sum().item() / 2)


def test_margin_of_a_batch_is_that_of_its_matrices(generator: torch.Generator) -> None:
    batch = torch.randn(3, 6, 4, generator=generator)
    ranks = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    found = margin(spectrum(batch), ranks)
    for index in range(3):
        one = margin(spectrum(batch[index]), ranks[index])
        assert found[index].item() == pytest.approx(one.item(), rel=1e-9)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (2.0, 9.0, Favoured.SPECTRAL),
        (1.99, 9.0, Favoured.OPEN),
        (0.1, 0.5, Favoured.EUCLIDEAN),
        (0.1, 0.51, Favoured.OPEN),
    ],
)
def test_favoured_needs_the_whole_interval(low: float, high: float, expected: Favoured) -> None:
    assert favoured(low, high) is expected


def test_swapped_curvatures_are_refused() -> None:
    with pytest.raises(InputError, match="spectral curvature is below"):
        Curvature(scalar(2.0), scalar(1.0), scalar(0.0))


def test_hessian_constants_are_the_naive_formula() -> None:
    b = LayerBounds(3, 1.1, 0.7, 0.2, 0.05, 1.3)
    gamma = sqrt(2) * (1 + 2 * 1.1**2 * 1.3**2) ** (3 / 2)
    theta = (1 + 1.1 * 1.3) ** 2
    c_f = gamma**2 * 0.05 + 0.2 * theta * 1.3 * 0.7 * gamma**2 * 3 + 0.2**2 * theta * gamma**2 * 3
    assert hessian_constants(b) == pytest.approx((c_f, theta * 1.1**2))


def test_hessian_constants_bound_the_hessian_of_a_small_network(
    generator: torch.Generator,
) -> None:
    """Proposition 4.3 on a tanh network: the quadratic form along random directions stays below."""
    n, widths = 20, [4, 5, 5, 3]
    x = torch.randn(widths[0], n, generator=generator, dtype=torch.float64)
    y = torch.randn(widths[-1], n, generator=generator, dtype=torch.float64)
    weights = [
        torch.randn(o, i, generator=generator, dtype=torch.float64) / i**0.5
        for i, o in pairwise(widths)
    ]

    def forward(*w: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        activations = [x]
        for matrix in w[:-1]:
            activations.append((matrix @ activations[-1]).tanh())
        return w[-1] @ activations[-1], activations

    def loss(*w: torch.Tensor) -> torch.Tensor:
        return (forward(*w)[0] - y).square().sum() / (2 * n)

    output, activations = forward(*weights)
    bounds = LayerBounds(
        depth=3,
        map_slope=1.0,
        map_curvature=4 / (3 * sqrt(3)),
        loss_slope=((output - y).norm() / n).item(),
        loss_curvature=1 / n,
        weight_norm=max(torch.linalg.matrix_norm(w, 2).item() for w in weights),
    )
    c_f, c_op = hessian_constants(bounds)
    for _ in range(20):
        direction = tuple(
            torch.randn(w.shape, generator=generator, dtype=torch.float64) for w in weights
        )
        _, product = torch.autograd.functional.hvp(loss, tuple(weights), direction)
        form = sum((d * p).sum() for d, p in zip(direction, product, strict=True)).abs().item()
        through = sum((d @ a).square().sum() for d, a in zip(direction, activations, strict=True))
        plain = sum(torch.linalg.matrix_norm(d, 2) ** 2 for d in direction)
        assert form <= c_f * through.item() + c_op * plain.item()


@pytest.mark.parametrize("field", ["map_slope", "loss_curvature"])
def test_negative_bounds_are_refused(field: str) -> None:
    values = {"map_slope": 1.0, "map_curvature": 1.0, "loss_slope": 1.0, "loss_curvature": 1.0}
    with pytest.raises(InputError, match=field):
        LayerBounds(depth=1, weight_norm=1.0, **{**values, field: -1.0})
