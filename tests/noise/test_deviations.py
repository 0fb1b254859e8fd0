"""Deviations: leave-one-out values, sums over blocks, the product of noise with itself."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spectrain.core import InputError
from spectrain.noise import deviations, moments


def sample(seed: int, count: int, size: int = 30) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.2 + torch.randn(count, size, generator=generator, dtype=torch.float64)


@given(
    seed=st.integers(0, 50),
    weights=st.lists(st.integers(1, 8), min_size=3, max_size=9),
)
def test_leave_one_out_is_that_of_the_moments(seed: int, weights: list[int]) -> None:
    g = sample(seed, len(weights))
    found = deviations(g, moments(g, weights=weights), weights=weights)
    signal, variance = found.leave_one_out()
    for index in range(len(weights)):
        kept = [i for i in range(len(weights)) if i != index]
        rest = moments(g[kept], weights=[weights[i] for i in kept])
        torch.testing.assert_close(variance[index], rest.variance)
        torch.testing.assert_close(signal[index], rest.signal, atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(found.variance, moments(g, weights=weights).variance)
    torch.testing.assert_close(found.signal, moments(g, weights=weights).signal)


def test_blocks_add_up_to_the_whole_gradient() -> None:
    g = sample(0, 7)
    parts = [g[:, :10], g[:, 10:]]
    added = sum_of([deviations(p, moments(p), window=6) for p in parts])
    whole = deviations(g, moments(g), window=6)
    torch.testing.assert_close(added.products, whole.products)
    torch.testing.assert_close(added.signal, whole.signal)
    assert added.entries == 30


def sum_of(parts):
    first, second = parts
    return first + second


def test_the_window_is_what_is_held() -> None:
    g = sample(0, 5)
    products = deviations(g, moments(g), window=1).products
    full = deviations(g, moments(g), window=4).products
    held = ~products.isnan()
    assert held.sum() == 5 + 2 * 4
    torch.testing.assert_close(products[held], full[held])
    centred = g - g.mean(0)
    torch.testing.assert_close(full, centred @ centred.mT)


@pytest.mark.parametrize("window", [1, 7])
@pytest.mark.parametrize("weights", [[1] * 8, [1, 2, 3, 4, 4, 3, 2, 1]])
def test_pair_variance_is_the_trace_of_the_squared_covariance(
    window: int, weights: list[int]
) -> None:
    generator = torch.Generator().manual_seed(3)
    scale = torch.linspace(0.5, 2, 40, dtype=torch.float64)
    root = torch.tensor(weights, dtype=torch.float64).sqrt().unsqueeze(1)
    found = []
    for _ in range(250):
        noise = torch.randn(8, 40, generator=generator, dtype=torch.float64) * scale
        g = 5 + noise / root
        one = deviations(g, moments(g, weights=weights), weights=weights, window=window)
        found.append(one.pair_variance())
    values = torch.stack(found)
    truth = scale.pow(4).sum()
    assert abs(values.mean() - truth) < 4 * values.std() / 250**0.5


def test_bad_input() -> None:
    g = sample(0, 4)
    one = deviations(g, moments(g))
    other = deviations(g, moments(g, weights=[1, 1, 1, 2]), weights=[1, 1, 1, 2])
    with pytest.raises(InputError, match="different replicas"):
        sum_of([one, other])
    with pytest.raises(InputError, match="no replica"):
        deviations([], moments(g))
