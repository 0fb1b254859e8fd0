"""How a ledger says what was measured."""

from __future__ import annotations

import pytest

from spectrain_studies.frame.ledger import measured


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"measured": None, "error": None, "low": None, "high": None}, "not measured"),
        ({"measured": 2.0, "error": None, "low": None, "high": None}, "2"),
        ({"measured": 2.0, "error": 0.1, "low": None, "high": None}, "2 ± 0.1"),
        ({"measured": 2.0, "error": None, "low": 2.0, "high": 2.0}, "2"),
        ({"measured": 2.0, "error": 0.1, "low": 1.8, "high": 2.2}, "2 (1.8 to 2.2)"),
    ],
)
def test_an_interval_comes_before_an_error_and_neither_is_made_up(
    row: dict[str, float | None], words: str
) -> None:
    assert measured(row) == words
