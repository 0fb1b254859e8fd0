"""Moments: merging, weights, streams."""

from __future__ import annotations

import functools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spectrain.core import InputError
from spectrain.noise import Moments, moments


def stack(seed: int, count: int, *, mean: float = 3.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return mean + torch.randn(count, 4, 5, generator=generator, dtype=torch.float64)


@given(seed=st.integers(0, 100), count=st.integers(2, 12))
def test_agrees_with_the_definition(seed: int, count: int) -> None:
    g = stack(seed, count)
    found = moments(g, entrywise=True)
    torch.testing.assert_close(found.mean, g.mean(0))
    torch.testing.assert_close(found.variance, g.var(0).sum())
    torch.testing.assert_close(found.entry_scatter, g.var(0) * (count - 1))
    assert found.count == count


@given(seed=st.integers(0, 100), cut=st.tuples(st.integers(1, 3), st.integers(4, 7)))
def test_merges_in_any_order(seed: int, cut: tuple[int, int]) -> None:
    g = stack(seed, 8)
    parts = [moments(p, entrywise=True) for p in (g[: cut[0]], g[cut[0] : cut[1]], g[cut[1] :])]
    a, b, c = parts
    for merged in (a.merge(b).merge(c), a.merge(b.merge(c)), c.merge(a).merge(b)):
        whole = moments(g, entrywise=True)
        torch.testing.assert_close(merged.mean, whole.mean)
        torch.testing.assert_close(merged.scatter, whole.scatter)
        torch.testing.assert_close(merged.entry_scatter, whole.entry_scatter)


def test_a_large_mean_does_not_drown_the_variance() -> None:
    g = stack(0, 10, mean=1e9)
    naive = (g.square().mean(0) - g.mean(0).square()).sum()
    found = moments(g).scatter / 10
    truth = g.sub(1e9).var(0, correction=0).sum()
    assert abs(found - truth) < 1e-5 * truth  # measured 1e-8
    assert abs(naive - truth) > truth  # what E[x²] − E[x]² would say


def test_weights_are_numbers_of_averaged_draws() -> None:
    """Replicas of unequal batches estimate the covariance of one draw, as the draws do."""
    generator = torch.Generator().manual_seed(1)
    sizes = [1, 2, 4, 8] * 500
    draws = [torch.randn(size, 3, generator=generator, dtype=torch.float64) for size in sizes]
    found = moments([d.mean(0) for d in draws], weights=sizes)
    pooled = torch.cat(draws)
    torch.testing.assert_close(found.mean, pooled.mean(0))
    assert abs(found.variance - 3) < 0.12  # measured 0.02; standard error 3·√(2/(3·2000)) = 0.055
    assert found.weight == sum(sizes)


def test_half_precision_replicas_accumulate_in_float64() -> None:
    g = stack(0, 6).to(torch.bfloat16)
    found = moments(g)
    assert found.mean.dtype is torch.float64
    torch.testing.assert_close(found.mean, g.double().mean(0))


def test_the_stream_does_not_alias_its_replicas() -> None:
    buffer = torch.zeros(2, dtype=torch.float64)

    def stream():
        for value in (1.0, 3.0):
            buffer.fill_(value)
            yield buffer

    assert moments(stream()).mean.tolist() == [2.0, 2.0]


def test_signal_is_unbiased() -> None:
    generator = torch.Generator().manual_seed(2)
    signal = torch.ones(20, dtype=torch.float64) * 0.1
    drawn = [
        moments(signal + torch.randn(4, 20, generator=generator, dtype=torch.float64)).signal.item()
        for _ in range(2000)
    ]
    values = torch.tensor(drawn)
    assert abs(values.mean() - 0.2) < 4 * values.std() / 2000**0.5


@pytest.mark.parametrize(
    ("first", "second", "named"),
    [
        (Moments.of(torch.zeros(2)), Moments.of(torch.zeros(3)), "shapes"),
        (Moments.of(torch.zeros(2)), Moments.of(torch.zeros(2), entrywise=True), "entrywise"),
    ],
)
def test_what_does_not_merge(first: Moments, second: Moments, named: str) -> None:
    with pytest.raises(InputError, match=named):
        first.merge(second)


def test_bad_input() -> None:
    with pytest.raises(InputError, match="no replica"):
        moments([])
    with pytest.raises(InputError, match="weight"):
        Moments.of(torch.zeros(2), weight=0.0)
    assert functools.reduce(Moments.merge, [Moments.of(torch.ones(1))]).variance.isnan()
