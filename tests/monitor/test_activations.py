"""Moments of activations: shared inputs are summed once, and never mixed up."""

from __future__ import annotations

import pytest
import torch

from spectrain.core import Feed, Tap
from spectrain.monitor.activations import ActivationStore

Q, K, V = (Feed(name) for name in "qkv")


def squared(matrix: torch.Tensor) -> tuple[float, float]:
    sigma = torch.linalg.svdvals(matrix.double())
    return sigma.square().sum().item(), sigma[0].square().item()


def check(store: ActivationStore, feed: Feed, rows: torch.Tensor) -> None:
    norms = store.norms()[feed]
    total, top = squared(rows)
    assert norms.frobenius.item() == pytest.approx(total, rel=1e-5)
    assert norms.operator.item() == pytest.approx(top, rel=1e-5)
    assert norms.columns == len(rows)


@pytest.mark.parametrize("width", [3, 130])
def test_modules_that_read_one_tensor_share_its_moments(
    generator: torch.Generator, width: int
) -> None:
    store = ActivationStore()
    passes = [torch.randn(20, width, generator=generator) for _ in range(3)]
    for x in passes:
        for feed in (Q, K, V):
            store.add(feed, x, x)
    assert len({id(moments) for moments in store.moments.values()}) == 1
    for feed in (Q, K, V):
        check(store, feed, torch.cat(passes))


def test_different_tensors_are_kept_apart(generator: torch.Generator) -> None:
    store = ActivationStore()
    x, y = (torch.randn(9, 4, generator=generator) for _ in range(2))
    store.add(Q, x, x)
    store.add(K, y, y)
    check(store, Q, x)
    check(store, K, y)


def test_a_module_that_joins_late_starts_its_own_moments(generator: torch.Generator) -> None:
    store = ActivationStore()
    x, y = (torch.randn(9, 4, generator=generator) for _ in range(2))
    store.add(Q, x, x)
    store.add(Q, y, y)
    store.add(K, y, y)
    check(store, Q, torch.cat([x, y]))
    check(store, K, y)


def test_a_module_that_leaves_its_group_is_reported_and_not_guessed(
    generator: torch.Generator,
) -> None:
    store = ActivationStore()
    x, y, z = (torch.randn(9, 4, generator=generator) for _ in range(3))
    for feed in (Q, K):
        store.add(feed, x, x)
    store.add(Q, y, y)
    store.add(K, z, z)
    check(store, Q, torch.cat([x, y]))
    assert store.inseparable == {K}
    assert K not in store.norms()


def test_one_module_called_twice_sums_both_calls(generator: torch.Generator) -> None:
    store = ActivationStore()
    x = torch.randn(9, 4, generator=generator)
    store.add(Q, x, x)
    store.add(Q, x + 1, x + 1)
    check(store, Q, torch.cat([x, x + 1]))


def test_tokens_are_counted(generator: torch.Generator) -> None:
    """st(indicator)·p_max = 1 exactly."""
    store = ActivationStore()
    feed = Feed("embedding", Tap.TOKENS)
    ids = [torch.tensor([0, 3, 3]), torch.tensor([3, 7])]
    for tokens in ids:
        store.add(feed, tokens, tokens)
    norms = store.norms()[feed]
    assert (norms.frobenius.item(), norms.operator.item(), norms.columns) == (5.0, 3.0, 5)


def test_a_wide_gaussian_input_is_diagonalised_in_full(generator: torch.Generator) -> None:
    store = ActivationStore()
    x = torch.randn(200, 150, generator=generator)
    store.add(Q, x, x)
    check(store, Q, x)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_an_activation_that_is_not_finite_gives_nan(bad: float) -> None:
    store = ActivationStore()
    x = torch.ones(4, 3)
    x[0, 0] = bad
    store.add(Q, x, x)
    assert store.norms()[Q].operator.isnan()


def test_half_precision_is_summed_in_float32(generator: torch.Generator) -> None:
    store = ActivationStore()
    x = (300 * torch.randn(64, 4, generator=generator)).half()
    store.add(Q, x, x)
    check(store, Q, x)


@pytest.mark.parametrize("scale", [1e-30, 1e-15, 1e15, 1e30])
def test_extreme_scales_are_measured_or_not_finite_and_never_an_error(
    generator: torch.Generator, scale: float
) -> None:
    store = ActivationStore()
    x = scale * torch.randn(50, 130, generator=generator)
    store.add(Q, x, x)
    norms = store.norms()[Q]
    if scale in (1e-15, 1e15):  # squares stay within float32
        check(store, Q, x)
    else:
        assert norms.operator.item() == 0.0 or norms.operator.isnan()
