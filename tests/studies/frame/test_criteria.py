"""Each criterion by its definition; and every mutation of one is seen by some interval."""

import math

import numpy as np
import pytest

from spectrain.noise.estimate import Estimate, symmetric
from spectrain_studies.frame import (
    Above,
    AllOf,
    Always,
    Below,
    Differs,
    Measured,
    Near,
    Negative,
    OnEvery,
    Positive,
    Skill,
    Untestable,
    Verdict,
    Within,
    above,
    below,
    combined,
    undecided,
    untestable,
)
from spectrain_studies.frame.chance import _canonical, _rates, chance
from spectrain_studies.frame.measured import at_level
from spectrain_studies.frame.statistics import skill, violations

UNSURE = symmetric(1.0, 0.5, replicas=5)
SURE = symmetric(1.0, 0.01, replicas=5)


@pytest.mark.parametrize(
    ("criterion", "found", "verdict"),
    [
        (Above(0.5), SURE, "holds"),
        (Above(1.5), SURE, "fails"),
        (Above(0.5), UNSURE, "undecided"),
        (Below(1.5), SURE, "holds"),
        (Below(0.5), SURE, "fails"),
        (Below(1.5), UNSURE, "undecided"),
        (Within(0.9, 1.1), SURE, "holds"),
        (Within(1.1, 1.2), SURE, "fails"),
        (Within(1.0, 1.2), SURE, "undecided"),
        (Within(0.9, 1.1), UNSURE, "undecided"),
        (Within(1.0, 1.0), 1.0, "holds"),
        (Within(1.0, 1.0), 1.0 + 1e-9, "fails"),
        (Near(1.0, 0.1), SURE, "holds"),
        (Near(1.2, 0.1), SURE, "fails"),
        (Near(1.1, 0.1), SURE, "undecided"),
        (Differs(equal=0.1), SURE, "holds"),
        (Differs(equal=0.1), symmetric(-1.0, 0.01, replicas=5), "holds"),
        (Differs(equal=0.1), symmetric(0.0, 0.01, replicas=5), "fails"),
        (Differs(equal=0.01), symmetric(0.0, 0.01, replicas=5), "undecided"),
        (Positive(counts=0.1), SURE, "holds"),
        (Positive(counts=0.1), symmetric(0.0, 0.01, replicas=5), "fails"),
        (Positive(counts=0.1), symmetric(-1.0, 0.01, replicas=5), "fails"),
        (Positive(counts=0.01), symmetric(0.0, 0.01, replicas=5), "undecided"),
        (Negative(counts=0.1), symmetric(-1.0, 0.01, replicas=5), "holds"),
        (Negative(counts=0.1), symmetric(0.0, 0.01, replicas=5), "fails"),
        (Negative(counts=0.1), SURE, "fails"),
        (Negative(counts=0.01), symmetric(0.0, 0.01, replicas=5), "undecided"),
        (Always(), 0.04, "holds"),
        (Always(), 0.06, "fails"),
        (Always(), symmetric(0.05, 0.01, replicas=5), "undecided"),
        (Skill(), symmetric(0.2, 0.01, replicas=5), "holds"),
        (Skill(), 0.0, "fails"),
        (Skill(), symmetric(0.0, 0.01, replicas=5), "undecided"),
        (Above(0.0), math.nan, "undecided"),
        (Above(0.0), Estimate.missing("fewer than 2 replicas", replicas=1), "undecided"),
        (Above(0.0), Measured(SURE, unsettled="the best rate ends its grid"), "undecided"),
        (Above(0.0), Untestable("it is not defined"), "untestable"),
    ],
)
def test_verdicts(criterion, found, verdict):
    assert criterion.judge(found).verdict == verdict


@pytest.mark.parametrize(
    ("criterion", "prose"),
    [
        (Above(0.02, "nats"), "above 0.02 nats"),
        (Below(0), "below 0"),
        (Within(-1, 1, "K"), "between -1 and 1 K"),
        (Near(0.5, 0.05), "0.5 ± 0.05"),
        (OnEvery("model", Below(0)), "below 0 on every model"),
        (AllOf({"slope": Below(0), "level": Above(1)}), "slope below 0, and level above 1"),
        (Untestable("it is not defined"), "untestable: it is not defined"),
    ],
)
def test_a_criterion_prints_its_prose(criterion, prose):
    assert str(criterion) == prose


PROBES = [
    Estimate(centre, 0.1, centre - reach, centre + reach, 9)
    for centre in np.linspace(-2, 2, 81)
    for reach in (0.0, 0.04, 0.22, 0.3, 3.0)
]


@pytest.mark.parametrize(
    ("criterion", "mutants"),
    [
        (Above(0.5), [Below(0.5), Above(0.6), Above(-0.5), Differs(equal=0.5), Always(0.5)]),
        (Below(0.5), [Above(0.5), Below(0.4), Below(-0.5), Near(0.5, 0.1), Skill()]),
        (Within(-0.5, 0.5), [Within(-0.5, 0.6), Within(-0.6, 0.5), Below(0.5), Above(-0.5)]),
        (Differs(equal=0.2), [Differs(equal=0.3), Above(0.0), Below(0.0), Within(-0.2, 0.2)]),
        (Positive(counts=0.2), [Positive(counts=0.3), Above(0.0), Differs(equal=0.2)]),
        (Negative(counts=0.2), [Negative(counts=0.3), Below(0.0), Positive(counts=0.2)]),
        (Always(0.05), [Always(0.1), Always(0.0), Above(0.05)]),
        (Skill(), [Below(0.0), Above(0.1), Above(0.0)]),
    ],
)
def test_every_mutation_is_seen(criterion, mutants):
    own = [criterion.judge(probe).verdict for probe in PROBES]
    assert set(own) == {Verdict.HOLDS, Verdict.FAILS, Verdict.UNDECIDED}
    for mutant in mutants:
        assert [mutant.judge(probe).verdict for probe in PROBES] != own, str(mutant)


def test_a_missing_estimate_says_why():
    judged = above(Estimate.missing("fewer than 2 replicas", replicas=1), 0.0)
    assert (judged.note, judged.seeds, judged.measured) == ("fewer than 2 replicas", 1, None)


def test_what_is_unsettled_is_undecided_and_keeps_its_numbers():
    judged = Above(0.0).judge(
        Measured(SURE, note="3 arms", unsettled="the best rate ends its grid")
    )
    assert judged.measured == 1.0
    assert judged.note == "the best rate ends its grid. 3 arms"


HELD, FAILED, OPEN, NEVER = above(1.0, 0.0), above(-1.0, 0.0), undecided("few"), untestable("no")


@pytest.mark.parametrize(
    ("parts", "verdict"),
    [
        ((HELD, HELD), "holds"),
        ((HELD, FAILED), "fails"),
        ((FAILED, FAILED), "fails"),
        ((HELD, OPEN), "undecided"),
        ((FAILED, OPEN), "fails"),
        ((OPEN, FAILED, HELD), "fails"),
        ((FAILED, NEVER), "fails"),
        ((HELD, NEVER), "untestable"),
        ((OPEN, NEVER), "untestable"),
        ((), "undecided"),
    ],
)
def test_one_failing_part_refutes_the_whole(parts, verdict):
    judged = combined({str(i): part for i, part in enumerate(parts)})
    assert judged.verdict == verdict
    assert set(judged.details) == {str(i) for i in range(len(parts))}


def test_the_worst_part_is_quoted():
    judged = combined({"a": above(3.0, 0.0, seeds=9), "b": above(-2.0, 0.0, seeds=4)})
    assert (judged.measured, judged.seeds) == (-2.0, 4)
    every = OnEvery("arm", Below(0.0)).judge({"a": 1.0, "b": 5.0, "c": 3.0, "d": -1.0})
    assert (str(every.verdict), every.measured, every.note) == ("fails", 5.0, "Rests on a, b, c, d")
    assert list(every.details) == ["a", "b", "c", "d"]


def test_parts_must_be_those_of_the_criterion():
    with pytest.raises(TypeError, match="each of slope, level"):
        AllOf({"slope": Below(0), "level": Above(1)}).judge({"slope": 1.0})
    with pytest.raises(TypeError, match="every model"):
        OnEvery("model", Below(0)).judge(1.0)
    with pytest.raises(TypeError, match="one statistic"):
        Below(0).judge({"a": 1.0})
    assert OnEvery("model", Below(0)).judge({}).verdict == "undecided"


def test_many_parts_do_not_refute_a_true_claim_by_chance():
    """12 parts at their limit: one 95 % interval in forty lies wholly beyond it."""
    found = chance(OnEvery("layer", Above(0.0)), seeds=10, members=12)
    assert found.false_fail < 0.06
    assert found.false_pass < 0.06
    edge = symmetric(-1.0, 0.4, replicas=12)  # beyond 0 by its own interval, not by one of twelve
    assert Above(0.0).judge(edge).verdict == "fails"
    assert OnEvery("layer", Above(0.0)).judge({str(i): edge for i in range(12)}).verdict != "fails"


@pytest.mark.parametrize(
    "criterion",
    [Above(2.0), Within(-1, 1), Differs(equal=0.1), Near(5, 1), Positive(0.1), Negative(0.1)],
)
def test_chance_errs_as_often_as_intervals_do(criterion):
    found = chance(criterion, seeds=6)
    assert found.sound
    assert not chance(criterion, seeds=6, level=0.5).sound


def test_an_interval_of_another_level_covers_as_often():
    generator = np.random.default_rng(0)
    drawn = generator.normal(size=(2000, 5))
    errors = drawn.std(1, ddof=1) / 5**0.5
    estimates = [
        symmetric(m, e, replicas=5)
        for m, e in zip(drawn.mean(1).tolist(), errors.tolist(), strict=True)
    ]
    covered = np.mean([at_level(one, 0.8).covers(0.0) for one in estimates])
    assert covered == pytest.approx(0.8, abs=0.03)  # 0.799


def test_agreement_that_a_constant_beats_is_no_skill():
    generator = np.random.default_rng(0)
    happened = generator.random((20, 100)) < 0.03
    noisy = happened ^ (generator.random((20, 100)) < 0.07)
    found = skill(noisy, happened)
    assert found.details["agreement"] > 0.9
    assert Skill().judge(found).verdict == "fails"
    assert Skill().judge(skill(happened, happened)).verdict == "holds"
    assert Skill().judge(skill(np.ones_like(happened), np.ones_like(happened))).verdict == (
        "undecided"
    )


def test_few_cases_without_violation_do_not_show_that_there_is_none():
    assert Always().judge(violations(np.zeros((10, 1000), bool))).verdict == "undecided"
    assert Always().judge(violations(np.zeros((60, 1), bool))).verdict == "holds"
    assert Always().judge(violations(np.ones((10, 1), bool))).verdict == "fails"
    some = np.random.default_rng(0).random((30, 50)) < 0.3
    assert Always().judge(violations(some)).verdict == "fails"


def test_direct_calls_are_the_criteria():
    assert below(0.5, 1.0, seeds=3, note="n", details={"a": 1}).seeds == 3
    assert below(0.5, 1.0).verdict == Below(1.0).judge(0.5).verdict


@pytest.mark.parametrize(
    "leaf",
    [Above(0.02), Below(-3.0), Within(0.9, 1.1), Differs(equal=0.1), Positive(0.1), Negative(0.1)],
)
def test_what_chance_gives_does_not_depend_on_where_limits_lie(leaf):
    assert _rates(leaf, 5, 2, 0.95) == _rates(_canonical(leaf), 5, 2, 0.95)
