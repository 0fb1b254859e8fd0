"""Intervals: quantiles, jackknife, Fieller."""

from __future__ import annotations

import math

import pytest
import torch

from spectrain.core import InputError
from spectrain.core.student import t_quantile
from spectrain.noise import Estimate
from spectrain.noise.estimate import fieller, jackknife, jackknife_log, mean_estimate


def test_quantiles_of_the_table() -> None:
    assert t_quantile(0.9, 1) == pytest.approx(6.3138, abs=1e-4)
    assert t_quantile(0.95, 10) == pytest.approx(2.2281, abs=1e-4)
    for level, degrees in ((0.0, 3), (1.0, 3), (0.9, 0)):
        with pytest.raises(InputError, match="t quantile"):
            t_quantile(level, degrees)


def test_the_jackknife_of_a_mean_is_its_standard_error(generator: torch.Generator) -> None:
    x = torch.randn(9, generator=generator, dtype=torch.float64)
    left_out = (x.sum() - x) / 8
    found = jackknife(x.mean().item(), left_out)
    plain = mean_estimate(x)
    assert found.error == pytest.approx(plain.error)
    assert found.low == pytest.approx(plain.low)


def test_fieller_bounds_solve_its_equation() -> None:
    covariance = torch.tensor([[0.3, 0.05], [0.05, 0.2]], dtype=torch.float64)
    found = fieller(2.0, 3.0, covariance, replicas=12)
    t = t_quantile(0.9, 11)
    for theta in (found.low, found.high):
        variance = 0.3 - 2 * theta * 0.05 + theta**2 * 0.2
        assert (2 - 3 * theta) ** 2 == pytest.approx(t**2 * variance)


def test_an_unknown_denominator_leaves_the_ratio_open() -> None:
    found = fieller(1.0, 0.1, torch.eye(2, dtype=torch.float64), replicas=8)
    assert (found.low, found.high) == (-math.inf, math.inf)
    assert "denominator" in found.reason


@pytest.mark.parametrize("count", [0, 1])
def test_one_replica_is_no_answer(count: int) -> None:
    for found in (mean_estimate(torch.zeros(count)), jackknife(0.0, torch.zeros(count))):
        assert found.value is None
        assert found.reason == "fewer than 2 replicas"
        assert not found.covers(0.0)


def test_no_logarithm_of_what_is_not_positive() -> None:
    assert jackknife_log(0.0, torch.ones(3)).reason == "not positive"
    assert jackknife_log(1.0, torch.tensor([1.0, -1.0])).reason == "not positive"


def test_missing_is_a_value() -> None:
    found = Estimate.missing("why", replicas=2)
    assert (found.value, found.error, found.replicas, found.reason) == (None, None, 2, "why")
