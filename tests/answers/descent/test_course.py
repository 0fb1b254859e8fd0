import numpy as np
import pytest

from spectrain.answers.descent.course import Course, course


@pytest.mark.parametrize(
    ("values", "expected", "words"),
    [
        ([3] * 6, Course((), above=True), "above 2 throughout"),
        ([1] * 6, Course((), above=False), "below 2 throughout"),
        ([1] * 5 + [3] * 5, Course((50,), above=True), "above 2 since step 50"),
        ([3] * 5 + [1] * 5, Course((50,), above=False), "below 2 since step 50"),
        (
            [3] * 5 + [1] * 5 + [3] * 5,
            Course((50, 100), above=True),
            "crossed 2 2 times, above since step 100",
        ),
        ([2.0], Course((), above=True), "above 2 throughout"),
    ],
)
def test_crossings(values, expected, words):
    found = course(10 * np.arange(len(values)), np.array(values, dtype=float), 2.0)
    assert found == expected
    assert found.describe("2") == words


def test_single_outliers_are_no_crossing():
    values = np.full(20, 3.0)
    values[[4, 11]] = 0.1
    assert course(np.arange(20), values, 2.0) == Course((), above=True)
