"""Slopes, quotients and proportions with errors, against their definitions."""

from __future__ import annotations

import math

import pytest

from spectrain.noise.estimate import symmetric
from spectrain_studies.frame.statistics import (
    proportionality,
    quotient,
    weighted_log_slope,
)


def test_a_quotient_has_the_error_of_first_order() -> None:
    found = quotient(symmetric(6.0, 0.3, replicas=5), symmetric(3.0, 0.2, replicas=9))
    assert found.value == 2.0
    assert found.error == pytest.approx(2.0 * math.sqrt(0.05**2 + (0.2 / 3.0) ** 2))
    assert found.replicas == 5


def test_proportionality_of_what_is_proportional_has_the_error_of_the_data() -> None:
    x, errors = [1.0, 2.0, 4.0], [0.1, 0.4, 0.2]
    found = proportionality(
        x, [symmetric(3 * a, e, replicas=4) for a, e in zip(x, errors, strict=True)]
    )
    assert found.value == pytest.approx(3.0)
    information = sum((a / e) ** 2 for a, e in zip(x, errors, strict=True))
    assert found.error == pytest.approx(information**-0.5)


def test_proportionality_of_what_is_not_has_a_wider_error() -> None:
    x, y, error = [1.0, 2.0, 3.0], [1.0, 4.0, 9.0], 0.1
    found = proportionality(x, [symmetric(b, error, replicas=4) for b in y])
    slope = sum(a * b for a, b in zip(x, y, strict=True)) / sum(a * a for a in x)
    scatter = sum((b - slope * a) ** 2 for a, b in zip(x, y, strict=True)) / error**2 / 2
    assert found.value == pytest.approx(slope)
    assert found.error == pytest.approx(math.sqrt(scatter) * error / math.sqrt(14.0))


def test_the_exponent_of_a_power_law() -> None:
    x = [1.0, 2.0, 4.0, 8.0]
    found = weighted_log_slope(x, [symmetric(5 * a**1.5, 0.1 * a, replicas=4) for a in x])
    assert found.value == pytest.approx(1.5)
