"""What moved first: where something did, and as chance has it among many series."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spectrain.answers.stability.calibration import autocorrelated
from spectrain.answers.stability.moved import CHANCE, PLACEBOS, SAMPLES, Series, first_moved


def wandering(count: int, length: int, seed: int) -> list[Series]:
    generator = torch.Generator().manual_seed(seed)
    return [
        Series(str(i), np.arange(length), 0.3 * autocorrelated(generator, length).numpy())
        for i in range(count)
    ]


@pytest.mark.parametrize(("count", "runs"), [(12, 100), (150, 40)])
def test_nothing_is_named_by_chance_however_many_series(count: int, runs: int) -> None:
    """Without the share of earlier steps: 150 series name something in about one run of seven."""
    said = sum(first_moved(80, wandering(count, 80, seed)) is not None for seed in range(runs))
    assert said / runs <= 0.06


def naive(logs: np.ndarray) -> int | None:
    """Where the longest stretch outside that the last sample ends began, by the definition."""
    found = None
    for began in range(len(logs) - 1, SAMPLES - 1, -1):
        if len(logs) - began > 3 * SAMPLES:
            break
        before = logs[began - SAMPLES : began]
        spread = max(1.4826 * np.median(abs(before - np.median(before))), 1e-3)
        if logs[began:].min() > np.median(before) + 8 * spread:
            found = began
    return found


@pytest.mark.parametrize("seed", range(20))
def test_the_first_sample_outside_is_that_of_the_definition(seed: int) -> None:
    generator = np.random.default_rng(seed)
    logs = generator.normal(size=70)
    began = int(generator.integers(40, 70))
    logs[began:] += 40
    found = first_moved(70, [Series("x", np.arange(70), logs)])
    assert found is not None
    assert found.step == naive(logs) == began


def test_what_happens_at_the_spike_itself_is_not_before_it() -> None:
    logs = np.random.default_rng(0).normal(size=70)
    logs[60:] += 40
    assert first_moved(60, [Series("x", np.arange(70), logs)]) is None


def test_what_stands_out_now_and_then_is_no_sign() -> None:
    logs = np.random.default_rng(0).normal(size=100)
    logs[[30, 40, 50, 60, 75, 99]] += 40
    assert first_moved(100, [Series("x", np.arange(100), logs)]) is None  # 5 of 87 before
    logs[[30, 40, 50]] -= 40  # 2 of 87: a chance of 3 of 88
    found = first_moved(100, [Series("x", np.arange(100), logs)])
    assert found is not None
    assert found.chance == pytest.approx(3 / 88)
    assert found.chance <= CHANCE


def test_too_short_a_past_tells_no_chance() -> None:
    length = SAMPLES + PLACEBOS
    logs = np.random.default_rng(0).normal(size=length)
    logs[-1] += 40
    assert first_moved(length, [Series("x", np.arange(length), logs)]) is None
    longer = np.concatenate([np.random.default_rng(1).normal(size=1), logs])
    assert first_moved(length + 1, [Series("x", np.arange(length + 1), longer)]) is not None
