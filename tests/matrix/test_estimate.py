"""Choosing the cheapest method: what is chosen, that it holds what it says, and what it refuses."""

from __future__ import annotations

import itertools
import sys

import pytest
import torch

from spectrain.core.errors import InputError
from spectrain.matrix import MEASURES, SKETCHED, Costs, estimate, measure_costs, spectrum
from spectrain.matrix.estimate import COSTS, worthwhile_products

estimate_module = sys.modules["spectrain.matrix.estimate"]
"""The module, whose name in its package is that of the function."""

CHEAP_PRODUCTS = Costs(gram=(1.0, 1.0), eigenvalues=(1.0, 1.0), product=1e-6)
DEAR_PRODUCTS = Costs(gram=(1.0, 1.0), eigenvalues=(1.0, 1.0), product=1e6)


def test_costs_decide(generator: torch.Generator) -> None:
    matrix = torch.randn(400, 500, generator=generator)
    exact = spectrum(matrix)
    for costs, method in ((CHEAP_PRODUCTS, "sketch"), (DEAR_PRODUCTS, "gram/float64")):
        found = estimate(matrix, rtol=0.03, costs=costs, generator=generator)
        assert found.method == method
        assert (found.sketch is None) == (found.spectrum is not None) == (method != "sketch")
        for name in SKETCHED:
            one, truth = found.values[name], MEASURES[name](exact).item()
            assert one.low * (1 - 1e-4) <= truth <= one.high * (1 + 1e-4), (method, name)


def test_a_failed_sketch_gives_way_to_the_spectrum(generator: torch.Generator) -> None:
    matrix = torch.randn(300, 300, generator=generator) * torch.logspace(0, -6, 300)
    whole = COSTS["cpu"].of_spectrum((300, 300), torch.float32)
    costs = Costs(COSTS["cpu"].gram, COSTS["cpu"].eigenvalues, whole / 300**2 / 1300)
    assert worthwhile_products(matrix, 0.01, costs) > 0
    found = estimate(matrix, rtol=0.01, costs=costs)
    assert found.sketch is None
    assert found.method.startswith("gram")


def test_other_measures_and_small_errors_need_the_spectrum(generator: torch.Generator) -> None:
    matrix = torch.randn(300, 400, generator=generator)
    assert estimate(matrix, ["top5_mass"], costs=CHEAP_PRODUCTS).spectrum is not None
    assert estimate(matrix, rtol=1e-6, costs=CHEAP_PRODUCTS).method == "gram/float64"
    assert estimate(matrix, method="spectrum", costs=CHEAP_PRODUCTS).spectrum is not None
    assert estimate(matrix, method="sketch", costs=DEAR_PRODUCTS).sketch is not None


def test_a_device_without_costs_is_not_sketched() -> None:
    assert "meta" not in COSTS
    big = torch.empty(8192, 8192, device="meta")
    assert worthwhile_products(big, 0.02, COSTS["cpu"]) > 0


def test_measured_costs_are_positive_and_put_double_above_single() -> None:
    costs = measure_costs(size=256)
    assert costs.product > 0
    assert costs.gram[0] > 0
    assert costs.eigenvalues[1] > 0


@pytest.mark.parametrize(
    ("matrix", "names", "method", "complaint"),
    [
        (torch.ones(3, 3), ["volume"], "auto", "no measure"),
        (torch.ones(3, 3), ["top5_mass"], "sketch", "does not know"),
        (torch.ones(0, 3), ["nuclear_norm"], "auto", "empty"),
        (torch.full((3, 3), torch.inf), ["nuclear_norm"], "auto", "NaN"),
    ],
)
def test_refuses(matrix: torch.Tensor, names: list[str], method: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        estimate(matrix, names, method=method)  # type: ignore[arg-type]


def test_costs_are_seconds_an_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that moves on by a second whenever it is read."""
    ticks = itertools.count()
    monkeypatch.setattr(estimate_module, "_clock", lambda device: float(next(ticks)))
    found = measure_costs("cpu", size=32, rounds=2)
    assert found.gram == found.eigenvalues == (32.0**-3, 32.0**-3)
    assert found.product == 1 / (16 * 32**2)
