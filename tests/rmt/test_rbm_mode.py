"""One mode of the Gaussian RBM: drift, potential and curvature are derivatives of each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrain.core import InputError
from spectrain.rmt import Potential, RBMMode


@given(st.floats(0.5, 8.0), st.floats(0.05, 0.95))
def test_derivatives(target, position):
    mode = RBMMode(9.0, target)
    x, h = 9.0 * position, 1e-5
    slope = (mode.value(x + h) - mode.value(x - h)) / (2 * h)
    assert float(mode.drift(x)) == pytest.approx(-float(slope), rel=1e-5, abs=1e-6)
    bend = -(mode.drift(x + h) - mode.drift(x - h)) / (2 * h)
    assert float(mode.curvature(x)) == pytest.approx(float(bend), rel=1e-5, abs=1e-6)


@given(st.floats(0.5, 8.0))
def test_the_fixed_point_is_learnt_and_stable(target):
    mode = RBMMode(9.0, target)
    assert float(mode.drift(mode.fixed_point)) == pytest.approx(0, abs=1e-12)
    expected = (9.0 - target) / target**2
    assert float(mode.curvature(mode.fixed_point)) == pytest.approx(expected)
    assert mode.curvature(0.0) < 0


def test_documents_potential():
    """V(x) = −x²/2κ − x − μ² log(μ² − x)."""
    assert float(RBMMode(9.0, 4.0).value(2.0)) == pytest.approx(-0.5 - 2 - 9 * np.log(7))
    assert isinstance(RBMMode(9.0, 4.0), Potential)


def test_a_mode_above_the_mass_is_refused():
    with pytest.raises(InputError, match="mass_squared"):
        RBMMode(4.0, 4.0)
