"""Wide activations: leading directions against the exact norms, over one pass and several."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from spectrain.core import Feed
from spectrain.monitor.activations import ActivationStore
from spectrain.monitor.wide import RTOL, WIDE, Leading

WIDTH = WIDE + 40


def offset(n: int, generator: torch.Generator) -> Tensor:
    """Activations with a mean: one direction above noise, as after most nonlinearities."""
    return torch.randn(n, WIDTH, generator=generator).relu()


def noise(n: int, generator: torch.Generator) -> Tensor:
    return torch.randn(n, WIDTH, generator=generator)


def exact(activation: Tensor) -> tuple[float, float]:
    values = torch.linalg.svdvals(activation.double())
    return values.square().sum().item(), values[0].square().item()


@pytest.mark.parametrize(("make", "most"), [(offset, 1e-5), (noise, 0.01)])
def test_one_pass(make: Any, most: float, generator: torch.Generator) -> None:
    activation = make(300, generator)
    energy, top = exact(activation)
    found = Leading.of(activation, None)
    operator, error = (x.item() for x in found.operator())
    assert found.energy.item() == pytest.approx(energy, rel=1e-6)
    assert operator <= top * (1 + 1e-6)
    assert top - operator <= most * top  # measured 3e-7 and 0.003
    assert top - operator <= error + 1e-6 * top


def test_several_passes(generator: torch.Generator) -> None:
    passes = [offset(100, generator) for _ in range(4)]
    energy, top = exact(torch.cat(passes))
    found = Leading.of(passes[0], None)
    for one in passes[1:]:
        found = found.grown(one)
    operator, error = (x.item() for x in found.operator())
    assert found.energy.item() == pytest.approx(energy, rel=1e-6)
    assert top - operator + 1e-6 * top >= 0
    assert top - operator <= min(error + 1e-6 * top, 0.01 * top)  # measured 0.001


def test_a_warm_start_comes_closer(generator: torch.Generator) -> None:
    activation = noise(300, generator)
    _, top = exact(activation)
    cold = Leading.of(activation, None)
    warm = Leading.of(activation, cold.basis)
    assert top - warm.operator()[0].item() < top - cold.operator()[0].item()


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_low_rank(rank: int, generator: torch.Generator) -> None:
    left, right = (torch.randn(n, rank, generator=generator) for n in (50, WIDTH))
    activation = left @ right.mT
    _, top = exact(activation)
    operator, error = Leading.of(activation, None).operator()
    assert operator.item() == pytest.approx(top, rel=1e-5)
    assert error.item() <= max(RTOL * top, 1e-12)


def test_a_store_sketches_wide_feeds_and_hands_on_their_directions(
    generator: torch.Generator,
) -> None:
    feed, other = Feed("wide"), Feed("shared")
    store = ActivationStore(sketched=True)
    x = offset(60, generator)
    store.add(feed, x, x)
    store.add(other, x, x)
    assert store.nbytes < 4 * WIDTH**2  # the bytes of A Aᵀ
    norms = store.norms()
    energy, top = exact(x)
    assert norms[feed] == norms[other]
    assert norms[feed].operator.item() == pytest.approx(top, rel=1e-4)
    assert norms[feed].frobenius.item() == pytest.approx(energy, rel=1e-6)
    again = ActivationStore(sketched=True, warm=store.directions())
    again.add(feed, x, x)
    assert again.norms()[feed].operator.item() == pytest.approx(top, rel=1e-6)


def test_what_is_not_finite_is_nan(generator: torch.Generator) -> None:
    activation = noise(20, generator)
    activation[3, 5] = torch.nan
    found = Leading.of(activation, None)
    assert found.energy.isnan()
    assert found.operator()[0].isnan()
