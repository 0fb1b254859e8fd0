"""Which tests run a line: the fast tests once under coverage, and the quickest of each line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from coverage import CoverageData

SECONDS = 15.0
"""Tests of a line are taken, the quickest first, until they need so long."""
BESIDE = 45.0
"""The same for tests beside a line that no test runs in its own process."""
KEPT = 40
"""Tests of a line that are remembered, the quickest."""

_DURATION = re.compile(r"^([\d.]+)s (?:call|setup|teardown) +(\S.*)$")


@dataclass(frozen=True)
class Covering:
    """The quickest tests that run each line, and what they take.

    Attributes:
        seconds: of a test, its set-up included.
        lines: tests by file and line; line 0 has those that run any line of a file.
    """

    seconds: Mapping[str, float]
    lines: Mapping[str, Mapping[int, tuple[str, ...]]]

    def tests(self, file: str, line: int) -> tuple[str, ...]:
        """Tests that run a line, the quickest first.

        Where none does, it ran at import or in processes that the tests started: then those that
        run its file, and those in the folder of tests that bears the name of its package.
        """
        own = self.lines.get(file, {})
        if own.get(line):
            return self._quickest(own[line], SECONDS)
        folder = f"{folder_of_tests(file)}/"
        beside = sorted(
            (test for test in self.seconds if test.startswith(folder)), key=self.seconds.__getitem__
        )
        chosen = self._quickest(own.get(0, ()), SECONDS) + self._quickest(beside, BESIDE)
        return tuple(dict.fromkeys(chosen))

    def _quickest(self, tests: Iterable[str], limit: float) -> tuple[str, ...]:
        chosen: list[str] = []
        spent = 0.0
        for test in tests:
            spent += self.seconds[test]
            if chosen and spent > limit:
                break
            chosen.append(test)
        return tuple(chosen)

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        lines = {f: {str(n): tests for n, tests in own.items()} for f, own in self.lines.items()}
        path.write_text(json.dumps({"seconds": dict(self.seconds), "lines": lines}), "utf-8")

    @classmethod
    def load(cls, path: Path) -> Covering:
        """Read what :meth:`save` wrote."""
        found = json.loads(path.read_text("utf-8"))
        return cls(
            found["seconds"],
            {
                file: {int(line): tuple(tests) for line, tests in own.items()}
                for file, own in found["lines"].items()
            },
        )


def folder_of_tests(file: str) -> str:
    """The folder whose tests are named after the package of a file."""
    package = Path(file).parent.as_posix()
    studies = package.replace("studies/src/spectrain_studies", "tests/studies")
    return studies.replace("src/spectrain", "tests")


def measure(root: Path, packages: Sequence[str], *, workers: int = 2) -> Covering:
    """Run all fast tests once, and note which of them run which line of these folders."""
    with tempfile.TemporaryDirectory(prefix="covering-") as folder:
        data = Path(folder) / "coverage"
        settings = Path(folder) / "settings"
        settings.write_text(f"[run]\ndata_file = {data}\nrelative_files = true\n", "utf-8")
        told = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-m", "not slow", "-q", "-n", str(workers)),
                *("--durations=0", "-vv", "--cov-context=test", "--cov-report="),
                *(f"--cov={root / package}" for package in packages),
                f"--cov-config={settings}",
            ],
            cwd=root,
            capture_output=True,
            text=True,
        ).stdout
        seconds = dict(_durations(told.splitlines()))
        return Covering(seconds, dict(_lines(data, root, seconds)))


def _durations(told: Iterable[str]) -> Mapping[str, float]:
    seconds: dict[str, float] = defaultdict(float)
    for line in told:
        if found := _DURATION.match(line):
            seconds[found[2]] += float(found[1])
    return seconds


def _lines(
    path: Path, root: Path, seconds: Mapping[str, float]
) -> Iterator[tuple[str, dict[int, tuple[str, ...]]]]:
    data = CoverageData(basename=str(path))
    data.read()
    for file in data.measured_files():
        own: dict[int, set[str]] = defaultdict(set)
        for line, contexts in data.contexts_by_lineno(file).items():
            tests = {context.rpartition("|")[0] for context in contexts} & seconds.keys()
            own[line] |= tests
            own[0] |= tests
        name = str(Path(root, file).resolve().relative_to(root.resolve()))
        yield name, {n: tuple(sorted(t, key=seconds.__getitem__)[:KEPT]) for n, t in own.items()}
