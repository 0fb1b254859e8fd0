"""What the campaigns count and draw, without suffering any."""

from __future__ import annotations

import random
import tomllib
from pathlib import Path

import pytest
from campaigns.hardships.registry import Findings, Trouble, verdict

ROOT = Path(__file__).parents[1]


def test_a_promise_that_broke_once_is_broken() -> None:
    found = Findings()
    found.check("reads", True)
    assert verdict({"kill": found})
    found.check("reads", False, "run 7")
    assert found.held == {"reads": [1, 2]}
    assert found.broken == ["reads: run 7"]
    assert not verdict({"kill": found})


def test_a_hardship_that_tests_nothing_holds_nothing() -> None:
    assert not verdict({"kill": Findings()})


def test_the_scale_sets_how_often_and_never_to_none(tmp_path: Path) -> None:
    trouble = Trouble(tmp_path, 0.1, random.Random(0), Findings())
    assert [trouble.times(full) for full in (200, 3)] == [20, 2]


def test_what_only_says_a_type_is_not_changed() -> None:
    pytest.importorskip("cosmic_ray")
    from campaigns.mutants import silent_spots

    spots = silent_spots("def f(x: int | None) -> int | None:\n    return 1 | x\n")
    assert {(1, 9), (1, 24)} <= spots
    assert not any(line == 2 for line, _ in spots)


def test_a_line_meets_the_quickest_tests_that_run_it(tmp_path: Path) -> None:
    pytest.importorskip("coverage")
    from campaigns.covering import SECONDS, Covering

    seconds = {"quick": 0.1, "slower": SECONDS, "slowest": 4 * SECONDS}
    found = Covering(seconds, {"a.py": {0: ("quick", "slower"), 3: ("slowest",), 4: ()}})
    found.save(tmp_path / "covering.json")
    again = Covering.load(tmp_path / "covering.json")
    assert again.tests("a.py", 3) == ("slowest",)
    assert again.tests("a.py", 4) == again.tests("a.py", 9) == ("quick",)
    assert again.tests("b.py", 1) == ()


def test_a_line_that_no_test_runs_itself_meets_the_tests_of_its_folder() -> None:
    pytest.importorskip("coverage")
    from campaigns.covering import Covering

    beside = "tests/monitor/distributed/test_x.py::test_in_processes"
    seconds = {beside: 9.0, "tests/monitor/test_y.py::test_y": 0.1, "src/doctest": 0.1}
    file = "src/spectrain/monitor/distributed/x.py"
    covering = Covering(seconds, {file: {0: ("src/doctest",), 3: ("src/doctest",)}})
    assert covering.tests(file, 3) == ("src/doctest",)
    assert covering.tests(file, 4) == ("src/doctest", beside)


def test_the_lowest_constraints_are_the_bounds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    bounds = {line.replace(">=", "==") for line in project["dependencies"]}
    lines = (ROOT / "constraints-lowest.txt").read_text("utf-8").splitlines()
    lowest = {line for line in lines if not line.startswith("#")}

    def padded(line: str) -> tuple[str, tuple[int, ...]]:
        name, _, version = line.partition("==")
        numbers = [int(part) for part in version.split(".")]
        return name, tuple(numbers + [0] * (3 - len(numbers)))

    assert {padded(line) for line in lowest} == {padded(line) for line in bounds}


def test_both_distributions_have_one_version() -> None:
    main, studies = (
        tomllib.loads((ROOT / file).read_text("utf-8"))["project"]
        for file in ("pyproject.toml", "studies/pyproject.toml")
    )
    assert main["version"] == studies["version"]
    assert f"spectrain=={main['version']}" in studies["dependencies"]
    assert f"## {main['version']} – " in (ROOT / "CHANGELOG.md").read_text("utf-8")
