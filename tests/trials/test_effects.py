"""Effects: against planted ones, coverage of the intervals, arms that diverged."""

from __future__ import annotations

import numpy as np
import pytest

from spectrain.core import InputError
from spectrain.trials.design import screening
from spectrain.trials.effects import effect_of, main_effects, paired


def losses_of(
    draw: np.random.Generator,
    design: np.ndarray,
    beta: np.ndarray,
    *,
    windows: int,
    noise: float,
    scatter: float,
) -> np.ndarray:
    """Windows of different levels, effects that scatter between them, noise of arms."""
    each = beta[:, None] + scatter * draw.standard_normal((len(beta), windows))
    level = 5 * draw.standard_normal(windows)
    return level + design @ each + noise * draw.standard_normal((len(design), windows))


def test_no_noise_gives_the_planted_effects() -> None:
    beta = np.array([-0.1, 0.02, 0.0, 0.3, -0.01])
    draw = np.random.default_rng(0)
    losses = losses_of(draw, screening(5), beta, windows=2, noise=0.0, scatter=0.0)
    found = main_effects(screening(5), losses)
    assert np.allclose([effect.value for effect in found], beta)


@pytest.mark.parametrize(("windows", "scatter"), [(2, 0.0), (4, 0.0), (4, 0.02)])
def test_coverage_and_false_gains(windows: int, scatter: float) -> None:
    """95 % intervals hold, and no gain is claimed of nothing in more than 2.5 % beyond chance."""
    draw = np.random.default_rng(1)
    beta = np.array([-0.1, 0.0, 0.05])
    held, false, total = 0, 0, 400
    for _ in range(total):
        losses = losses_of(draw, screening(3), beta, windows=windows, noise=0.02, scatter=scatter)
        found = main_effects(screening(3), losses)
        held += sum(e.low <= b <= e.high for e, b in zip(found, beta, strict=True))
        false += found[1].gains
    assert held / (3 * total) > 0.93  # 0.952 to 0.990 measured
    assert false / total < 0.045  # 0.025 expected at most, standard error 0.008


def test_a_diverged_arm_is_left_out() -> None:
    beta = np.array([-0.1, 0.05, 0.0])
    design = screening(3)
    assert len(design) == 4
    draw = np.random.default_rng(2)
    losses = losses_of(draw, design, beta, windows=3, noise=0.0, scatter=0.0)
    losses[2, 1] = np.nan
    with pytest.raises(InputError, match="1 of 4 arms diverged"):
        main_effects(design, losses)
    wider = screening(4)
    losses = losses_of(draw, wider, np.append(beta, 0.2), windows=3, noise=0.0, scatter=0.0)
    losses[5] = np.inf
    found = main_effects(wider, losses)
    assert np.allclose([effect.value for effect in found], [*beta, 0.2])


def test_paired() -> None:
    found = paired(np.array([-0.02, -0.03, -0.025, -0.022]))
    assert found.gains
    assert found.degrees == 3
    assert found.value == pytest.approx(-0.02425)
    assert found.harm < 0.01
    with pytest.raises(InputError, match="one window"):
        paired(np.array([0.1]))


def test_nothing_is_known_without_error() -> None:
    assert effect_of(0.0, 0.0, 3).harm == 0.5
    assert not effect_of(-1.0, float("inf"), 3).gains
