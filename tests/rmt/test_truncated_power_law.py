"""Tails with a cut-off against mpmath, and against the conditions of the largest likelihood."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import torch

from spectrain.core import InputError
from spectrain.rmt.law import numpy_generator
from spectrain.rmt.truncated_power_law import TruncatedPowerLaw, fit_truncated_power_law


def sample(exponent: float, rate: float, count: int, seed: int = 0) -> np.ndarray:
    """From 1 on, by thinning a power law."""
    rng = numpy_generator(torch.Generator().manual_seed(seed))
    found = np.empty(0)
    while len(found) < count:
        x = rng.pareto(exponent - 1, 4 * count) + 1
        found = np.append(found, x[rng.random(len(x)) < np.exp(-rate * (x - 1))])
    return found[:count]


def naive_distance(x: np.ndarray, law: TruncatedPowerLaw) -> float:
    tail = np.sort(x[x >= law.start])
    whole = mpmath.gammainc(1 - law.exponent, law.rate * law.start)
    gaps = [
        abs(1 - float(mpmath.gammainc(1 - law.exponent, law.rate * v) / whole) - i / len(tail))
        for i, v in enumerate(tail)
    ]
    return max(gaps)


@pytest.mark.parametrize(("exponent", "rate"), [(1.0, 0.3), (1.7, 1e-4), (3.0, 2.0), (6.0, 0.01)])
def test_the_law_against_mpmath(exponent: float, rate: float) -> None:
    law = TruncatedPowerLaw(exponent, rate, 2.0)
    x = np.array([2.0, 2.5, 7.0, 40.0])
    whole = mpmath.gammainc(1 - exponent, rate * 2.0)
    wanted = [1 - float(mpmath.gammainc(1 - exponent, rate * v) / whole) for v in x]
    density = [
        float(-exponent * mpmath.log(v) - rate * v - mpmath.log(whole * rate ** (exponent - 1)))
        for v in x
    ]
    # measured at most 6e-14
    assert np.abs(law.distribution(x) - wanted).max() < 1e-12
    assert np.abs(law.log_density(x) - density).max() < 1e-12
    assert law.log_density(1.0) == -np.inf


def test_the_fit_finds_what_was_drawn() -> None:
    fit = fit_truncated_power_law(sample(1.8, 0.05, 1500))
    assert fit.law.exponent == pytest.approx(1.8, abs=0.15)
    assert fit.law.rate == pytest.approx(0.05, rel=0.3)


@pytest.mark.parametrize("seed", range(3))
def test_the_likelihood_is_the_largest(seed: int) -> None:
    """Means of ln x and x are those of the law; the distance is that of the definition."""
    x = sample(2.0, 0.02, 60, seed)
    fit = fit_truncated_power_law(x)
    law, tail = fit.law, x[x >= fit.law.start]
    assert len(tail) == fit.count
    here = law.log_density(tail).sum()
    for step in (-1e-3, 1e-3):
        moved = TruncatedPowerLaw(law.exponent + step, law.rate, law.start)
        assert law.exponent + step < 1 or moved.log_density(tail).sum() <= here + 1e-9
        moved = TruncatedPowerLaw(law.exponent, law.rate * (1 + step), law.start)
        assert moved.log_density(tail).sum() <= here + 1e-9
    assert fit.distance == pytest.approx(naive_distance(x, law), abs=1e-10)


def test_a_tail_heavier_than_any_cut_off_is_a_power_law() -> None:
    x = np.append(np.linspace(1, 1.5, 20), 1e6)
    fit = fit_truncated_power_law(x, within=(1.0, 1.0 + 1e-9 + 0.5 / 19))
    logs = np.log(x[x >= fit.law.start] / fit.law.start)
    assert fit.law.rate * fit.law.start < 1e-10
    assert fit.law.exponent == pytest.approx(1 + 1 / logs.mean())


@pytest.mark.parametrize("values", [[1.0, 2.0], [1.0, 1.0, 2.0], [0.0, 1.0, 2.0, 3.0]])
def test_refuses(values: list[float]) -> None:
    with pytest.raises(InputError):
        fit_truncated_power_law(np.array(values))
    with pytest.raises(InputError, match="start"):
        fit_truncated_power_law(np.arange(1.0, 9.0), within=(20.0, 30.0))
