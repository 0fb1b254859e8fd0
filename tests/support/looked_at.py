"""Printed text that somebody looked at once."""

from __future__ import annotations

from difflib import unified_diff
from pathlib import Path

import pytest


def compare(file: Path, printed: str) -> None:
    """Fail unless the text is that of the file; to look at it anew, delete the file."""
    printed = "\n".join(line.rstrip() for line in printed.splitlines()) + "\n"
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        file.write_text(printed, "utf-8")
        pytest.fail(f"{file} was written: look at it")
    known = file.read_text("utf-8")
    if printed != known:
        before, after = known.splitlines(), printed.splitlines()
        changed = unified_diff(before, after, str(file), "printed", lineterm="", n=1)
        pytest.fail("\n".join(changed), pytrace=False)
