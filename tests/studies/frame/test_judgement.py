import math

import pytest

from spectrain.noise.estimate import Estimate, symmetric
from spectrain_studies.frame import Verdict, above, below, combined, undecided, untestable, within

UNSURE = symmetric(1.0, 0.5, replicas=5)
SURE = symmetric(1.0, 0.01, replicas=5)


@pytest.mark.parametrize(
    ("judgement", "verdict"),
    [
        (above(SURE, 0.5), "holds"),
        (above(SURE, 1.5), "fails"),
        (above(UNSURE, 0.5), "undecided"),
        (below(SURE, 1.5), "holds"),
        (below(SURE, 0.5), "fails"),
        (below(UNSURE, 1.5), "undecided"),
        (within(SURE, 0.9, 1.1), "holds"),
        (within(SURE, 1.1, 1.2), "fails"),
        (within(SURE, 1.0, 1.2), "undecided"),
        (within(UNSURE, 0.9, 1.1), "undecided"),
        (within(1.0, 1.0, 1.0), "holds"),
        (within(1.0 + 1e-9, 1.0, 1.0), "fails"),
        (above(math.nan, 0.0), "undecided"),
        (above(Estimate.missing("fewer than 2 replicas", replicas=1), 0.0), "undecided"),
        (untestable("no data"), "untestable"),
    ],
)
def test_verdicts(judgement, verdict):
    assert judgement.verdict == verdict


def test_a_missing_estimate_says_why():
    judged = above(Estimate.missing("fewer than 2 replicas", replicas=1), 0.0)
    assert (judged.note, judged.seeds, judged.measured) == ("fewer than 2 replicas", 1, None)


@pytest.mark.parametrize(
    ("parts", "verdict"),
    [
        ((above(1.0, 0.0), above(1.0, 0.0)), Verdict.HOLDS),
        ((above(1.0, 0.0), above(-1.0, 0.0)), Verdict.PARTLY),
        ((above(-1.0, 0.0), above(-1.0, 0.0)), Verdict.FAILS),
        ((above(1.0, 0.0), undecided("few")), Verdict.UNDECIDED),
        ((above(-1.0, 0.0), undecided("few")), Verdict.UNDECIDED),
        ((above(1.0, 0.0), undecided("few"), above(-1.0, 0.0)), Verdict.PARTLY),
    ],
)
def test_parts_are_combined(parts, verdict):
    judged = combined({str(i): part for i, part in enumerate(parts)})
    assert judged.verdict is verdict
    assert set(judged.details) == {str(i) for i in range(len(parts))}


def test_the_worst_part_is_quoted():
    judged = combined({"a": above(3.0, 0.0, seeds=9), "b": above(-2.0, 0.0, seeds=4)})
    assert (judged.measured, judged.seeds) == (-2.0, 4)
