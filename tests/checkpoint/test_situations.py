from __future__ import annotations

from pathlib import Path

import pytest

from support.situations import PAGE, SITUATIONS, outcome, row

WRITTEN = frozenset(PAGE.read_text(encoding="utf-8").splitlines())


def test_there_are_many() -> None:
    assert len(SITUATIONS) >= 60


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_documentation_says_what_happens(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    assert row(name, outcome(SITUATIONS[name], folder)) in WRITTEN
    assert not (folder / "touched").exists()
