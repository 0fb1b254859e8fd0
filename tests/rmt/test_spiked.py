"""Signals in noise: the formulas against sampled matrices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrain.core import InputError
from spectrain.rmt import SpikedMatrix

shapes = st.tuples(st.integers(1, 2000), st.integers(1, 2000))


@pytest.mark.parametrize("strength", [0.4, 1.5, 3.0])
def test_sampled_matrices(strength):
    """FACTS of the additive baseline: m = 300, n = 600, s² = 1/600."""
    rng = np.random.default_rng(0)
    model = SpikedMatrix((300, 600), 1 / 600)
    outcomes = []
    for _ in range(12):
        w = rng.normal(size=(300, 600)) / np.sqrt(600)
        w[0, 0] += strength
        u, s, vh = np.linalg.svd(w, full_matrices=False)
        outcomes.append((s[0], u[0, 0] ** 2, vh[0, 0] ** 2))
    value, left, right = np.mean(outcomes, axis=0)
    assert value == pytest.approx(float(model.singular_value(strength)), rel=0.015)
    below = strength < model.threshold
    # an overlap below the threshold is of order 1/n^(1/3), not yet zero
    assert left == pytest.approx(float(model.left_overlap(strength)), abs=0.1 if below else 0.03)
    assert right == pytest.approx(float(model.right_overlap(strength)), abs=0.1 if below else 0.03)


@given(shapes, st.floats(1e-8, 1e4), st.floats(1.001, 1e3))
def test_strength_inverts_singular_value(shape, variance, excess):
    model = SpikedMatrix(shape, variance)
    strength = excess * model.threshold
    assert float(model.strength(model.singular_value(strength))) == pytest.approx(
        strength, rel=1e-4
    )


@given(shapes, st.floats(0, 1))
def test_below_the_threshold_nothing_is_left(shape, fraction):
    model = SpikedMatrix(shape, 0.3)
    strength = fraction * model.threshold
    assert float(model.singular_value(strength)) == pytest.approx(model.edge)
    assert float(model.left_overlap(strength)) == pytest.approx(0, abs=1e-12)
    assert model.strength(fraction * model.edge) == 0


@given(shapes, st.floats(0, 100), st.floats(0.01, 100))
def test_transposing_swaps_left_and_right(shape, strength, scale):
    model = SpikedMatrix(shape, 0.3)
    turned = SpikedMatrix(shape[::-1], 0.3 * scale**2)
    assert float(turned.left_overlap(scale * strength)) == pytest.approx(
        float(model.right_overlap(strength)), abs=1e-9
    )


@given(shapes, st.floats(0, 100))
def test_overlaps_are_fractions(shape, strength):
    model = SpikedMatrix(shape, 0.3)
    for overlap in (model.left_overlap(strength), model.right_overlap(strength)):
        assert -1e-12 <= overlap <= 1


def test_bad_parameters_are_refused():
    with pytest.raises(InputError, match="dimensions"):
        SpikedMatrix((0, 3), 1.0)
    with pytest.raises(InputError, match="entry_variance"):
        SpikedMatrix((3, 3), 0.0)
