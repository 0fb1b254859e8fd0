"""Number variance: theory and estimator meet on sampled matrices."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from spectrain.core import InputError
from spectrain.rmt import (
    WignerSemicircle,
    hermite_eigenvalues,
    number_variance,
    number_variance_law,
    unfold,
)

LENGTHS = np.array([0.5, 1.0, 3.0, 10.0])


def naive_unitary(length: float) -> float:
    """Σ²(L) = L − 2∫(L − r) (sin πr/πr)² dr over 0 < r < L."""
    inner, _ = quad(lambda r: (length - r) * np.sinc(r) ** 2, 0, length, limit=400)
    return length - 2 * inner


@pytest.mark.parametrize("length", LENGTHS)
def test_unitary_law_is_the_integral_of_the_cluster_function(length):
    assert float(number_variance_law(length, 2)) == pytest.approx(naive_unitary(length), abs=1e-9)


@pytest.mark.parametrize("beta", [1, 2, 4])
def test_sampled_matrices(beta, generator):
    levels = hermite_eigenvalues(300, count=150, generator=generator, beta=beta)
    centre = unfold(levels, WignerSemicircle())[:, 60:240]
    value, error = number_variance(centre, LENGTHS)
    # the unfolding and the finite matrix leave up to one per cent
    assert (np.abs(value - number_variance_law(LENGTHS, beta)) < 4 * error + 0.01).all()


def test_short_stretches_hold_one_level_or_none():
    for beta in (0, 1, 2, 4):
        assert float(number_variance_law(1e-3, beta)) == pytest.approx(1e-3, rel=2e-2)
        assert number_variance_law(0.0, beta) == pytest.approx(0, abs=1e-9)


def test_long_stretches_grow_as_the_logarithm():
    assert float(number_variance_law(1e4) - number_variance_law(1e3)) == pytest.approx(
        2 / np.pi**2 * np.log(10), rel=1e-3
    )


def test_a_ladder_does_not_fluctuate():
    ladder = np.tile(np.arange(50.0), (3, 1)) + np.array([[0.1], [0.2], [0.3]])
    value, error = number_variance(ladder, np.array([4.0]))
    assert value[0] == pytest.approx(0, abs=1e-12)
    assert error[0] == pytest.approx(0, abs=1e-12)


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="negative"):
        number_variance_law(-1.0)
    with pytest.raises(InputError, match="half of the shortest span"):
        number_variance(np.tile(np.arange(9.0), (2, 1)), np.array([7.0]))
