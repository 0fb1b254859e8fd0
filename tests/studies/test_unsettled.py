"""Each claim that is not settled has its cost on the page, and no other has."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path

import pytest

from spectrain_studies import load_study
from spectrain_studies.frame.document import matching
from spectrain_studies.frame.unsettled import (
    Unsettled,
    open_claims,
    read_unsettled,
    unsettled_table,
)

LEDGER = Path(__file__).parents[2] / "docs" / "ledger"


@pytest.mark.parametrize("name", ["descent", "noise", "randomness", "rank", "regime"])
def test_every_open_claim_is_told_once(name: str) -> None:
    rows = json.loads((LEDGER / f"{name}.json").read_text("utf-8"))["claims"]
    left = open_claims(load_study(name).claims, {row["id"]: row for row in rows})
    told: list[str] = []
    for each in read_unsettled(name):
        assert each.minutes > 0
        found = matching(each.claims, name, left)
        assert all(found.values()), found
        told += dict.fromkeys(chain(*found.values()))
    assert sorted(told) == sorted(left)


def test_the_table_has_a_row_for_each() -> None:
    known = {"toy": (Unsettled(("fig*",), "ten seeds of α/|B|", 2.5),)}
    row = {"verdict": "undecided", "measured": 0.5, "error": None, "low": 0.25, "high": 0.75}
    page = unsettled_table(known, {"toy/fig1": row}, ["toy/fig1", "toy/fig2", "toy/table"])
    assert r"| `toy/fig1` | undecided: 0.5 (0.25 to 0.75) | ten seeds of α/\|B\| | 2.5 |" in page
    assert r"| `toy/fig2` | not run | ten seeds of α/\|B\| | 2.5 |" in page
    assert "toy/table" not in page
