from math import cos, pi

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrain.training.schedule import learning_rate_factor

SHAPES = ("linear", "cosine")
shares = st.floats(0, 1)


def factors(steps, warmup, cooldown, shape):
    return [
        learning_rate_factor(
            step, steps=steps, warmup=warmup, cooldown=cooldown, cooldown_shape=shape
        )
        for step in range(steps)
    ]


@given(st.integers(1, 60), shares, shares, st.sampled_from(SHAPES))
def test_factors_rise_then_fall_and_stay_above_zero(steps, warmup, cooldown, shape):
    values = factors(steps, warmup, cooldown, shape)
    peak = values.index(max(values))
    assert values[: peak + 1] == sorted(values[: peak + 1])
    assert values[peak:] == sorted(values[peak:], reverse=True)
    assert values[-1] > 0
    assert max(values) <= 1


def test_rise_plateau_and_linear_fall():
    values = factors(20, 0.2, 0.5, "linear")
    assert values == pytest.approx(
        [0.25, 0.5, 0.75, *[1] * 8, *(left / 10 for left in range(9, 0, -1))]
    )


def test_cosine_fall_is_half_way_down_in_the_middle():
    values = factors(100, 0.0, 1.0, "cosine")
    assert values[0] == 1
    assert values[50] == pytest.approx(0.5)
    assert values[75] == pytest.approx((1 + cos(0.75 * pi)) / 2)


@pytest.mark.parametrize("shape", SHAPES)
def test_without_rise_and_fall_the_rate_is_constant(shape):
    assert factors(5, 0.0, 0.0, shape) == [1.0] * 5
