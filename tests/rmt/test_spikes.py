"""Counting spikes: rarely a false one, and none hides another."""

from __future__ import annotations

import numpy as np
import pytest

from spectrain.core import InputError
from spectrain.rmt import SpikedMatrix, count_spikes, edge_ratio_p_value, laguerre_eigenvalues


def planted_eigenvalues(shape, strengths, rng) -> np.ndarray:
    """Eigenvalues of WᵀW for a random W of variance 1/M plus planted singular values."""
    w = rng.normal(size=shape) / np.sqrt(shape[0])
    w[np.arange(len(strengths)), np.arange(len(strengths))] += strengths
    return np.linalg.eigvalsh(w.T @ w)


def false_rate(shape, count, generator, level=0.01) -> float:
    spectra = laguerre_eigenvalues(shape, count=count, generator=generator)
    return float(np.mean([count_spikes(s, shape, level=level).count > 0 for s in spectra]))


def test_false_spikes_of_small_random_matrices(generator):
    rate = false_rate((64, 16), 2000, generator)
    assert 0.003 <= rate <= 0.017  # measured 0.0105


@pytest.mark.slow
@pytest.mark.parametrize(
    "shape", [(16, 16), (32, 8), (64, 16), (64, 64), (256, 64), (384, 64), (1024, 32), (256, 256)]
)
def test_false_spikes_of_random_matrices(shape, generator):
    rate = false_rate(shape, 4000, generator)
    assert 0.003 <= rate <= 0.017


@pytest.mark.slow
def test_false_spikes_of_large_random_matrices(generator):
    assert 0.003 <= false_rate((768, 768), 2000, generator) <= 0.017


def test_the_level_sets_the_rate(generator):
    assert false_rate((64, 16), 600, generator, level=0.2) == pytest.approx(0.2, abs=0.05)


@pytest.mark.parametrize(("shape", "count"), [((64, 16), 6), ((256, 64), 26), ((256, 256), 100)])
def test_forty_per_cent_of_equal_spikes_do_not_hide_each_other(shape, count):
    rng = np.random.default_rng(0)
    model = SpikedMatrix(shape, 1 / shape[0])
    strengths = np.full(count, 4 * model.threshold)
    found = [
        count_spikes(planted_eigenvalues(shape, strengths, rng), shape).count for _ in range(20)
    ]
    assert np.mean(np.array(found) == count) >= 0.9  # one false spike in a hundred is its right


def test_testing_from_above_would_be_masked():
    """Why candidates are tested from below: many equal spikes inflate the variance."""
    rng = np.random.default_rng(0)
    shape, count = (256, 256), 102
    values = planted_eigenvalues(shape, np.full(count, 3.0), rng)
    assert edge_ratio_p_value(values, shape) > 0.5
    assert count_spikes(values, shape).count == count


@pytest.mark.parametrize("shape", [(256, 64), (128, 128)])
def test_a_singular_value_five_per_cent_above_the_edge_is_seen(shape):
    """From 128 columns on the 1 % point lies below 1.023 edges: what comes out there is found."""
    model = SpikedMatrix(shape, 1 / shape[0])
    rng = np.random.default_rng(0)
    strength = [float(model.strength(1.05 * model.edge))]
    seen = []
    for _ in range(150):
        values = planted_eigenvalues(shape, strength, rng)
        if np.sqrt(values[-1]) > 1.05 * model.edge:
            seen.append(count_spikes(values, shape).count >= 1)
    assert len(seen) > 40
    assert np.mean(seen) >= 0.99  # measured 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "runs"), [((512, 512), 60), ((1024, 256), 100), ((768, 768), 40)]
)
def test_power_for_a_signal_that_comes_out_five_per_cent_above_the_edge(shape, runs):
    """On average five per cent: the outcome itself fluctuates by 1.2–1.5 %, at 64 × 16 by 6 %."""
    model = SpikedMatrix(shape, 1 / shape[0])
    rng = np.random.default_rng(0)
    strength = [float(model.strength(1.05 * model.edge))]
    found = [
        count_spikes(planted_eigenvalues(shape, strength, rng), shape).count >= 1
        for _ in range(runs)
    ]
    assert np.mean(found) >= 0.95


def test_the_result_tells_what_was_tested():
    rng = np.random.default_rng(0)
    result = count_spikes(planted_eigenvalues((64, 16), [3.0, 5.0], rng), (64, 16))
    assert result.count == 2
    assert result.level == 0.01
    assert len(result.p_values) >= 2
    assert result.p_values[1] <= 0.01


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_the_count_does_not_depend_on_the_scale(scale):
    values = planted_eigenvalues((64, 16), [3.0, 5.0], np.random.default_rng(0))
    assert count_spikes(scale * values, (64, 16)).count == 2


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="full spectrum"):
        count_spikes(np.ones(3), (8, 4))
    with pytest.raises(InputError, match="all eigenvalues are zero"):
        count_spikes(np.zeros(4), (8, 4))
    with pytest.raises(InputError, match="NaN"):
        count_spikes(np.array([0.0, np.nan]), (8, 2))
