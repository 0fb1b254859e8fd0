"""q-values against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from spectrain.answers.discoveries import q_values


@pytest.mark.parametrize("count", [0, 1, 2, 30])
def test_q_values_are_those_of_scipy(count: int) -> None:
    p = np.random.default_rng(count).uniform(size=count) ** 3
    assert q_values(p.tolist()) == pytest.approx(false_discovery_control(p))


def test_ties_and_certainties() -> None:
    p = [0.02, 0.02, 1.0, 1.0, 0.0]
    assert q_values(p) == pytest.approx(false_discovery_control(p))
