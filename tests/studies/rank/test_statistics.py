"""Effect sizes and predictions against simulation and naive transcription."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_rel

from spectrain_studies.frame import Differs, Verdict
from spectrain_studies.frame.statistics import effect_size, over_seeds, paired
from spectrain_studies.rank.causes.prediction import skill
from spectrain_studies.rank.statistics import change


def test_paired_is_the_paired_t_test() -> None:
    generator = np.random.default_rng(0)
    a, b = generator.standard_normal((2, 6))
    found = paired(a, b)
    estimate, told = found.value, found.details
    reference = ttest_rel(a, b)
    interval = reference.confidence_interval(0.95)
    assert told["p_value"] == pytest.approx(reference.pvalue)
    assert (estimate.low, estimate.high) == pytest.approx((interval.low, interval.high))


def test_effect_intervals_cover() -> None:
    """95 % intervals of d from 5 differences cover d = 1 in 95 % of 400; measured 94.8."""
    generator = np.random.default_rng(1)
    inside = 0
    for _ in range(400):
        _, low, high = effect_size(1.0 + generator.standard_normal(5))
        inside += low <= 1.0 <= high
    assert 0.92 <= inside / 400 <= 0.98


def test_a_difference_fails_only_where_it_is_shown_to_be_none() -> None:
    sure, vague = over_seeds(np.array([0.0, 0.001, -0.001])), over_seeds(np.array([0.0, 1.0, -1.0]))
    assert Differs(equal=0.1).judge(sure).verdict == Verdict.FAILS
    assert Differs(equal=0.1).judge(vague).verdict == Verdict.UNDECIDED
    assert Differs(equal=0.1).judge(over_seeds(np.array([1.0, 1.1, 0.9]))).verdict == "holds"


@pytest.mark.parametrize("values", [[1.0, np.inf], [0.5, 0.5, 0.5]])
def test_diverged_runs_and_equal_seeds_leave_no_estimate(values) -> None:
    assert over_seeds(np.array(values)).value is None


def test_change_is_late_over_early() -> None:
    course = np.array([9.0, 2.0, 2.0, 2.0, 5.0, 5.0, 5.0, 1.0, 1.0, 1.0])[:, None]
    assert change(course) == pytest.approx(np.log(0.5))


def test_skill_is_that_of_arms_never_seen() -> None:
    """A feature that tells the target has skill; one that tells the arm alone has none."""
    generator = np.random.default_rng(2)
    arms = np.repeat([f"arm {number}" for number in range(8)], 5)
    target = generator.standard_normal(40)
    good = skill({"x": target + 0.1 * generator.standard_normal(40)}, target, arms)
    none = skill({"x": generator.standard_normal(40)}, target, arms)
    assert good.mean() > 0.7  # 0.9
    assert none.mean() < 0.1  # -0.1


def test_equal_seeds_say_what_a_sign_test_says() -> None:
    assert over_seeds(np.full(5, -1.0)).value is None
    certain = over_seeds(np.full(6, -1.0))
    assert (certain.value, certain.low, certain.high) == (-1.0, -1.0, -1.0)
