"""The study that the documentation shows is short, runs, and decides."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

PAGE = Path(__file__).parents[2] / "docs" / "studies.md"


def test_the_study_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
    assert len(code.splitlines()) <= 60
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "own"}
    exec(compile(code, str(PAGE), "exec", dont_inherit=True), namespace)
    assert "**holds** `edges/root-of-size` (§1)" in capsys.readouterr().out
    study = namespace["STUDY"]
    claim = study.claims["edges/root-of-size"]
    for world, verdict in ((claim.planted.true, "holds"), (claim.planted.false, "fails")):
        made = world(study.config("quick"), torch.Generator().manual_seed(0))
        assert claim.judged(study.config("quick"), *made).verdict == verdict
