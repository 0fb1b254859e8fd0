"""Plans on disk: a round trip, and nothing but data is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from spectrain.core import InputError, Plan, Step
from spectrain.optim import read_plan, write_plan


def test_round_trip_keeps_hostile_names(tmp_path: Path) -> None:
    names = ["a[q]", "<script>", "../x", "x: y\n- z", "ünïcode", "1", "null"]
    plan = Plan(dict.fromkeys(names, Step.SPECTRAL), {"a[q]": {"ratio": 2.5, "course": "–"}})
    write_plan(plan, tmp_path / "plan.yaml")
    assert read_plan(tmp_path / "plan.yaml") == plan


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch hacked']",
        "{unclosed",
        "just text",
        "",
        "spectrain_plan: 1",
    ],
)
def test_what_is_no_plan_is_refused_and_nothing_is_executed(
    tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    with pytest.raises(InputError):
        read_plan(path)
    assert not (tmp_path / "hacked").exists()


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.yaml cannot be read"):
        read_plan(tmp_path / "nowhere.yaml")
    with pytest.raises(InputError, match="cannot be written"):
        write_plan(Plan({}), tmp_path / "no" / "folder.yaml")
