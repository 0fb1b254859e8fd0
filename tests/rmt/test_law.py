"""Contract of all laws: the verbs agree with each other."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from spectrain.core import InputError
from spectrain.rmt import (
    Law,
    MarchenkoPastur,
    PowerLaw,
    RepelledBulk,
    SpacingRatio,
    TracyWidom,
    TwoMode,
    WignerSemicircle,
    WignerSurmise,
)
from spectrain.rmt.law import as_float, bisect, finite_sample, numpy_generator, require_positive

LAWS: dict[str, Any] = {
    "marchenko_pastur": MarchenkoPastur(0.25, 2.0, 0.8),
    "marchenko_pastur_nearly_square": MarchenkoPastur(0.97),
    "marchenko_pastur_thin": MarchenkoPastur(0.001, 3.0),
    "repelled_bulk": RepelledBulk((60, 40), 2.0, (9.0, 12.0, 30.0)),
    "tracy_widom_1": TracyWidom(1),
    "tracy_widom_2": TracyWidom(2),
    "wigner": WignerSemicircle(3.0, -1.0),
    "surmise_1": WignerSurmise(1, 2.0),
    "surmise_2": WignerSurmise(2),
    "surmise_4": WignerSurmise(4),
    "ratio_0": SpacingRatio(0),
    "ratio_1": SpacingRatio(1),
    "ratio_2": SpacingRatio(2),
    "ratio_4": SpacingRatio(4),
    "two_mode": TwoMode(4.0, 0.5),
    "power_law": PowerLaw(4.5, 2.0),
}
RANGES = {
    "tracy_widom_1": (-9.0, 12.0),
    "tracy_widom_2": (-9.0, 12.0),
    "two_mode": (-1.0, 9.0),
    "power_law": (2.0, 2e4),
}


@pytest.fixture(params=LAWS)
def case(request: pytest.FixtureRequest) -> tuple[Law, float, float]:
    law = LAWS[request.param]
    lower, upper = RANGES.get(request.param, law.edges)
    return law, lower, min(upper, 20.0) if not np.isfinite(upper) else upper


def integral(function, lower: float, upper: float) -> float:
    """∫ by substitution of the square-root edges away, in pieces."""
    half, centre = (upper - lower) / 2, (upper + lower) / 2

    def smooth(angle: float) -> float:
        return float(function(centre - half * np.cos(angle))) * half * np.sin(angle)

    pieces = np.linspace(0, np.pi, 9)
    return sum(quad(smooth, *ends, limit=200, epsabs=1e-11)[0] for ends in pairwise(pieces))


def test_is_a_law(case):
    assert isinstance(case[0], Law)


def test_distribution_runs_from_zero_to_the_mass(case):
    law, lower, upper = case
    values = law.distribution(np.linspace(lower, upper, 501))
    assert values[0] == pytest.approx(0, abs=1e-10)
    assert (np.diff(values) >= -1e-12).all()
    assert values[-1] == pytest.approx(law.moment(0), abs=2e-12)


def test_density_is_the_slope_of_the_distribution(case):
    law, lower, upper = case
    x = np.linspace(lower, upper, 41)[1:-1]
    step = 1e-6 * (upper - lower)
    slope = (law.distribution(x + step) - law.distribution(x - step)) / (2 * step)
    np.testing.assert_allclose(law.density(x), slope, rtol=2e-4, atol=1e-8)


def test_density_vanishes_outside(case):
    law, _, _ = case
    lower, upper = law.edges
    if np.isfinite(lower):
        assert law.density(lower - 0.1) == 0
        assert law.distribution(lower - 0.1) == pytest.approx(0, abs=1e-12)
    if np.isfinite(upper):
        assert law.density(upper + 0.1) == 0
        assert law.distribution(upper + 0.1) == pytest.approx(law.moment(0), abs=1e-12)


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_moments_are_integrals(case, order):
    law, lower, upper = case
    measured = integral(lambda x: x**order * law.density(x), lower, upper)
    if isinstance(law, PowerLaw):  # the part beyond the range of integration
        rest = law.exponent - 1 - order
        measured += (law.exponent - 1) / rest * law.start**order * (upper / law.start) ** -rest
    assert law.moment(order) == pytest.approx(measured, rel=1e-6, abs=1e-9)


def test_negative_order_is_refused(case):
    with pytest.raises(InputError, match="order"):
        case[0].moment(-1)


@pytest.mark.parametrize("name", [name for name, law in LAWS.items() if hasattr(law, "quantile")])
def test_quantile_inverts(name):
    law = LAWS[name]
    p = np.array([[1e-6, 0.1], [0.5, 0.999]])
    np.testing.assert_allclose(law.distribution(law.quantile(p)) / law.moment(0), p, atol=1e-11)


def test_numbers_lists_arrays_and_tensors_are_welcome(case):
    law, lower, upper = case
    x = (lower + upper) / 2
    expected = float(law.density(np.array(x)))
    for given_x in (x, [x], (x,), torch.tensor([x], dtype=torch.float64)):
        assert float(np.squeeze(law.density(given_x))) == pytest.approx(expected)


def test_samples_follow_the_law(case, generator):
    """Kolmogorov distance of a large sample; levels of one matrix are closer still."""
    law, _, _ = case
    if isinstance(law, (MarchenkoPastur, WignerSemicircle)):
        sample = law.sample(
            20, size=1000 if isinstance(law, WignerSemicircle) else 200, generator=generator
        )
    else:
        sample = law.sample(4000, generator=generator)
    levels = np.sort(sample.ravel())
    steps = (np.arange(levels.size) + 0.5) / levels.size
    distance = np.abs(law.distribution(levels) / law.moment(0) - steps).max()
    assert distance < 0.03  # 1.6/√4000 = 0.025 is the 1 % point for independent draws


def test_samples_repeat_with_their_generator(case):
    law, _, _ = case
    size = {"size": 8} if isinstance(law, (MarchenkoPastur, WignerSemicircle)) else {}
    draws = [
        law.sample(5, generator=torch.Generator().manual_seed(seed), **size) for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


def test_numpy_generator_moves_the_torch_generator_on(generator):
    first, second = (numpy_generator(generator).random() for _ in range(2))
    assert first != second


@given(st.floats(-3, 3), st.floats(0.1, 4))
def test_bisect_finds_the_root(root, slope):
    found = bisect(lambda x: slope * (x - root) ** 3, -5.0, 5.0, (2,))
    np.testing.assert_allclose(found, root, atol=1e-14)


def test_bisect_without_a_root_ends_at_the_bound():
    assert bisect(lambda x: x + 9, -1.0, 1.0, ()) == pytest.approx(-1)


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_require_positive_names_the_value(value):
    with pytest.raises(InputError, match="width is"):
        require_positive(width=value)


def test_finite_sample_refuses_what_it_cannot_use():
    with pytest.raises(InputError, match="at least 2"):
        finite_sample("levels", [1.0], least=2)
    with pytest.raises(InputError, match="NaN"):
        finite_sample("levels", [1.0, np.nan])
    assert as_float(torch.ones(2)).dtype == np.float64
