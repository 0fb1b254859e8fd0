"""Above the records, evidence is read by field, so that the type checker sees it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import spectrain

ROOT = Path(spectrain.__file__).parent
UNTYPED = {"noise", "regime", "randomness"}
"""Questions whose rows are dictionaries still."""

FRAMES = {"checkpoint_page.py", "health_table.py", "inspect_result.py"}
"""Files whose rows are those of tables of records."""

READ = re.compile(r"\b(row|group|r|g)\[\"")


def readers() -> list[Path]:
    """Every file above the records that may read evidence."""
    return sorted(
        path
        for package in ("answers", "report", "cli")
        for path in (ROOT / package).rglob("*.py")
        if path.parent.name not in UNTYPED and path.name not in FRAMES
    )


@pytest.mark.parametrize("path", readers(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_field_is_read_as_a_string(path: Path) -> None:
    code = re.sub(r'""".*?"""', "", path.read_text("utf-8"), flags=re.DOTALL)
    assert not READ.search(code)
