"""The jackknife."""

from __future__ import annotations

import numpy as np
import pytest

from spectrain.core import InputError
from spectrain.rmt import jackknife


def test_the_mean_has_its_textbook_error():
    sample = np.random.default_rng(0).normal(size=57)
    value, error = jackknife(lambda part: float(part.mean()), sample)
    assert value == pytest.approx(sample.mean())
    assert error == pytest.approx(sample.std(ddof=1) / np.sqrt(57))


def test_blocks_agree_with_single_runs():
    sample = np.random.default_rng(0).normal(size=(4000, 2))
    errors = [
        jackknife(lambda part: float((part**2).mean()), sample, blocks=b)[1] for b in (100, 4000)
    ]
    assert errors[0] == pytest.approx(errors[1], rel=0.25)  # a 100-block error is known to 7 %


def test_error_of_a_ratio_is_its_spread():
    rng = np.random.default_rng(0)

    def ratio(part: np.ndarray) -> float:
        return float(part[:, 0].mean() / part[:, 1].mean())

    outcomes = [jackknife(ratio, rng.gamma(4.0, size=(200, 2))) for _ in range(300)]
    values, errors = np.array(outcomes).T
    assert errors.mean() == pytest.approx(values.std(), rel=0.15)


def test_one_run_is_refused():
    with pytest.raises(InputError, match="at least two"):
        jackknife(lambda part: 0.0, np.ones(1))
