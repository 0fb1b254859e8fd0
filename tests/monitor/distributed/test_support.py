"""The support table of the documentation is what the modes do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.table import FILE, find_support


@pytest.mark.slow
def test_the_committed_table_is_what_is_found(tmp_path: Path) -> None:
    """Written by ``PYTHONPATH=tests python -m support.table``."""
    assert find_support(tmp_path) == json.loads(FILE.read_text("utf-8"))


def test_no_cell_is_worse_than_it_was_promised() -> None:
    """Every mode that is not refused trains identically and records gradients and weights."""
    table = json.loads(FILE.read_text("utf-8"))
    for mode, cells in table.items():
        if "refused" in cells.values():
            assert set(cells.values()) == {"refused"}, mode
        else:
            assert cells["training"] == "identical", mode
            assert {cells["gradient"], cells["weight"]} <= {"equal", "recorded"}, mode
