import math

import numpy as np
import pytest

from spectrain.core import InputError
from spectrain.regime import corrected_decay, decay_for, timescale


def test_weights_average_over_the_timescale():
    """The share of the first update's weight that a run keeps is exp(−T/τ), whatever the rates."""
    rates = 0.02 * 0.5 * (1 + np.cos(np.pi * np.arange(3000) / 3000))
    found = timescale(rates, np.full(3000, 0.1))
    kept = np.prod(1 - rates * 0.1)
    assert kept == pytest.approx(math.exp(-3000 / found.steps), rel=0.01)
    assert found.share == pytest.approx(found.steps / 3000)
    assert found.peak_steps == pytest.approx(1 / 0.002)
    assert found.steps == pytest.approx(2 * found.peak_steps, rel=1e-3)  # a cosine's mean is half


def test_the_decay_for_a_timescale():
    rates = np.linspace(0.02, 0.0, 500)
    decay = decay_for(0.3, rates)
    assert timescale(rates, np.full(500, decay)).share == pytest.approx(0.3)


def test_without_decay_nothing_is_forgotten():
    found = timescale(np.full(10, 0.1), np.zeros(10))
    assert found.steps == found.share == math.inf
    assert found.verdict() == "long"


@pytest.mark.parametrize(
    ("decay", "epochs", "verdict"),
    [(0.009, None, "long"), (0.05, None, None), (20.0, None, "short"), (20.0, 30.0, None)],
)
def test_the_guideline(decay, epochs, verdict):
    """Within a tenth of a pass and ten runs: 1/(ηλ) of 11, 2 and 0.005 of the run."""
    found = timescale(np.full(1000, 0.01), np.full(1000, decay))
    assert found.verdict(epochs) == verdict


def test_corrected_decay_keeps_the_equilibrium():
    for rate in (0.01, 0.004, 1e-5):
        decay = corrected_decay(rate, peak=0.01, weight_decay=0.1)
        assert rate / decay == pytest.approx(0.01 / 0.1)


@pytest.mark.parametrize("rates", [[], [-1.0], [math.nan]])
def test_bad_schedules(rates):
    with pytest.raises(InputError):
        timescale(np.array(rates, dtype=np.float64), np.zeros(len(rates)))


def test_bad_wishes():
    with pytest.raises(InputError):
        decay_for(0.0, np.ones(3))
    with pytest.raises(InputError):
        corrected_decay(0.1, peak=0.0, weight_decay=0.1)
