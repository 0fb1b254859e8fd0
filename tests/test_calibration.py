"""The frame of the calibration: its counts, its intervals, its page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from calibration.__main__ import render
from calibration.frame import CASES, Case, count, interval
from calibration.noise import directions, runs_of, two_directions


def test_planted_directions_are_counted() -> None:
    case = Case(
        "noise",
        "two strong directions",
        runs_of(two_directions),
        {"more than two": directions(3, 8)},
        {"exactly two": directions(2, 2)},
    )
    assert count(case, 2) == {"more than two": 0, "exactly two": 2}


def test_intervals_are_exact() -> None:
    low, high = interval(0, 200)
    assert low == 0
    assert 1 - high == pytest.approx(0.025 ** (1 / 200))


def test_every_case_says_something() -> None:
    assert CASES
    assert all(case.false or case.true for case in CASES)


def test_the_page(tmp_path: Path) -> None:
    row = {"name": "white noise", "said": "a signal direction", "false": True, "told": 3}
    row |= {"runs": 200, "low": 0.003, "high": 0.043, "limit": 0.05}
    (tmp_path / "noise.json").write_text(json.dumps({"question": "noise", "rows": [row]}))
    page = render(tmp_path)
    assert "| white noise | a signal direction | false | 3 of 200 (1.5 %) |" in page
    assert "≤ 5 %" in page
