"""When a block entered its regime, and what the last sample decides."""

from __future__ import annotations

import numpy as np
import pytest

from spectrain.answers.regime.judge import FORGOTTEN, _entered, _verdict
from spectrain.answers.regime.row import Verdict
from spectrain.regime import Path

STEPS = np.arange(0, 50, 10)


def path(initial: list[float]) -> Path:
    """Noise whose norm is 1 all the time, of which these shares are left of the first weights."""
    one = np.ones(len(initial))
    return Path(one, np.array(initial), one, 0.01 * one, np.linspace(0.0, 8.0, len(initial)))


@pytest.mark.parametrize(
    ("verdict", "distance", "entered"),
    [
        (Verdict.EQUILIBRIUM, [0.9, 0.9, 0.1, -0.1, 0.0], 20),
        (Verdict.EQUILIBRIUM, [0.0, 0.0, 0.0, 0.0, 0.0], 0),
        (Verdict.EQUILIBRIUM, [0.0, 0.0, 0.0, 0.0, 0.9], None),
        (Verdict.SIGNAL_DRIVEN, [-0.9, -0.9, 0.0, 0.3, 0.9], 30),  # below is no signal
        (Verdict.BELOW, [0.9, -0.9, 0.0, -0.3, -0.9], 30),
        (Verdict.APPROACHING, [0.9, 0.9, 0.9, 0.9, 0.9], None),
    ],
)
def test_a_regime_is_entered_where_it_is_left_no_more(
    verdict: Verdict, distance: list[float], entered: int | None
) -> None:
    forgotten = path([0.0] * 5)
    assert _entered(STEPS, np.array(distance), 0.1, forgotten, verdict) == entered


def test_the_last_sample_says_what_is_left_of_the_first_weights() -> None:
    def judged(initial: list[float]) -> Verdict:
        return _verdict(0.0, 0.1, path(initial), None, tied=False, scheduled=False)[0]

    assert judged([1.0, 0.9, 2 * FORGOTTEN, FORGOTTEN / 2]) == Verdict.EQUILIBRIUM
    assert judged([1.0, 0.0, FORGOTTEN / 2, 2 * FORGOTTEN]) == Verdict.APPROACHING
