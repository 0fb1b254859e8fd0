"""Do the tests notice a changed program? A random sample of mutants against the fast tests.

    python -m campaigns.mutants --count 300 --seconds 3600

A mutant is the program with one operator, number, comparison or branch changed (by Cosmic Ray), not
in a type or a decorator. Places are drawn uniformly among all in :data:`PACKAGES`, then one change
of each. Every mutant meets the quickest fast tests that run its line (some 15 seconds of them, see
:mod:`campaigns.covering`; measured once and kept in build/covering.json), no others; the first
failure kills it. So the score is a lower bound of what all tests notice.

Everything happens in a copy of the tree. Each mutant has a process of its own, forked from one that
has imported the libraries; it is stopped after :data:`LIMIT` seconds, and then counts neither way.
What is done is written after each mutant: a campaign that is stopped has a result, and goes on.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import difflib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

from campaigns.covering import Covering, measure

ROOT = Path(__file__).parents[1]
RESULT = Path(__file__).parent / "results/mutants.json"

COVERING = ROOT / "build/covering.json"

PACKAGES = (
    "src/spectrain/monitor",
    "src/spectrain/answers",
    "src/spectrain/matrix",
    "studies/src/spectrain_studies/frame",
)
"""Where mutants are made."""

UNDECIDED = ("unsound", "too slow")
"""Outcomes that say nothing: the tests fail without the change, too, or the machine was busy."""

LIMIT = 600
"""Seconds that a mutant has, many times what the slowest set of tests takes on a free machine."""

LIBRARIES = ("torch", "scipy.stats", "scipy.optimize", "polars", "matplotlib.pyplot")


@dataclass(frozen=True)
class Mutant:
    """One change of one file: what stood there, what stands there now, and what the tests said."""

    file: str
    line: int
    change: str
    outcome: str  # killed, survived, no tests, too slow; unsound: tests fail without it, too
    tests: int
    seconds: float


@dataclass(frozen=True)
class Place:
    """A spot of a file with all changes that could be made there: (operator, occurrence)."""

    file: str
    line: int
    changes: tuple[tuple[str, int], ...]


def silent_spots(source: str) -> set[tuple[int, int]]:
    """Lines and columns of types and decorators: changed, they change next to nothing that runs."""
    spots: set[tuple[int, int]] = set()
    for node in ast.walk(ast.parse(source)):
        decorators = getattr(node, "decorator_list", [])
        types = (getattr(node, "annotation", None), getattr(node, "returns", None))
        for child in (*types, *decorators):
            for part in ast.walk(child) if child is not None else ():
                if isinstance(part, ast.expr):
                    lines = range(part.lineno, (part.end_lineno or part.lineno) + 1)
                    last = part.end_col_offset or 0
                    spots.update((n, c) for n in lines for c in range(part.col_offset, last))
    return spots


def same_places() -> list[list[str]]:
    """Names of operators; those that replace one arithmetic sign by another are found together."""
    groups: dict[str, list[str]] = {}
    for name in operator_names():
        if not get_operator(name).arguments():
            sign = "ReplaceBinaryOperator" in name
            groups.setdefault(name.rpartition("_")[0] if sign else name, []).append(name)
    return list(groups.values())


def places(file: Path) -> Iterator[Place]:
    """Every spot of a file where something can be changed."""
    source = file.read_text("utf-8")
    silent = silent_spots(source)
    nodes = list(ast_nodes(get_ast(source)))
    found: dict[tuple[int, int, str], list[tuple[str, int]]] = {}
    for names in same_places():
        operator = get_operator(names[0])()
        spots = (spot for node in nodes for spot in operator.mutation_positions(node))
        for occurrence, (start, _) in enumerate(spots):
            if tuple(start) not in silent:
                family = names[0].split("_")[0]
                changes = found.setdefault((*start, family), [])
                changes += [(name, occurrence) for name in names]
    for (line, _, _), changes in sorted(found.items()):
        yield Place(str(file.relative_to(ROOT)), line, tuple(changes))


def sample(count: int, seed: int) -> list[tuple[Place, tuple[str, int]]]:
    """Places and a change for each, in a random order that only the seed decides."""
    every = [p for base in PACKAGES for f in sorted((ROOT / base).rglob("*.py")) for p in places(f)]
    draw = random.Random(seed)
    chosen = draw.sample(every, min(count, len(every)))
    return [(place, draw.choice(place.changes)) for place in chosen]


@contextlib.contextmanager
def copied_tree() -> Iterator[Path]:
    """A copy of everything that git knows, in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.splitlines()
        for name in listed:
            if (ROOT / name).is_file():
                (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, Path(folder) / name)
        yield Path(folder)


def environment(tree: Path) -> dict[str, str]:
    """What a process of the copied tree needs to import the copy and not what is installed."""
    paths = [str(tree / "src"), str(tree / "studies/src"), str(tree / "tests"), str(tree)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}


def changed(tree: Path, place: Place, change: tuple[str, int]) -> tuple[str, str]:
    """The file as it is after a change, and the change in words."""
    before = (tree / place.file).read_text("utf-8")
    after = mutate_code(before, get_operator(change[0])(), change[1])
    words = " → ".join(
        line[1:].strip()
        for line in difflib.unified_diff(before.split("\n"), after.split("\n"), n=0, lineterm="")
        if line[:1] in "+-" and line[:3] not in ("+++", "---")
    )
    return after, words


def try_mutant(tree: Path, place: Place, change: tuple[str, int], tests: tuple[str, ...]) -> Mutant:
    """Change the copy, run the tests in a fork of this process, put the copy back."""
    if not tests:
        return Mutant(place.file, place.line, changed(tree, place, change)[1], "no tests", 0, 0.0)
    file = tree / place.file
    before, stamp = file.read_text("utf-8"), file.stat()
    after, words = changed(tree, place, change)
    file.write_text(after, "utf-8")
    start = time.monotonic()
    try:
        status = _in_a_fork(tree, tests)
    finally:
        file.write_text(before, "utf-8")
        os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    outcome = {0: "survived", 5: "no tests", None: "too slow"}.get(status, "killed")
    seconds = round(time.monotonic() - start, 1)
    return Mutant(place.file, place.line, words, outcome, len(tests), seconds)


def _in_a_fork(tree: Path, tests: Sequence[str]) -> int | None:
    """Exit status of pytest over ``tests``; ``None`` where it took too long."""
    child = os.fork()
    if child == 0:
        try:
            _run_tests(tree, tests)
        finally:  # whatever happens, never back into the parent's code
            os._exit(1)
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _run_tests(tree: Path, tests: Sequence[str]) -> None:
    """In the child: pytest over the copy, silently, and the end of the process."""
    os.setsid()
    os.chdir(tree)
    os.environ.update(environment(tree))
    sys.path[:0] = os.environ["PYTHONPATH"].split(os.pathsep)
    sys.dont_write_bytecode = "--collect-only" not in tests  # of a mutant nothing may stay
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    import pytest

    os._exit(int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-m", "not slow", *tests])))


def known(stored: Path, seed: int) -> list[Mutant]:
    """What an earlier start with the same seed has decided."""
    if not stored.exists():
        return []
    found = json.loads(stored.read_text("utf-8"))
    mutants = [Mutant(**one) for one in found["all"]] if found["seed"] == seed else []
    return [mutant for mutant in mutants if mutant.outcome not in UNDECIDED]


def report(mutants: Sequence[Mutant], *, drawn: int, seed: int) -> dict[str, object]:
    """The score, by package and whole, and every mutant that lived."""
    packages: dict[str, list[Mutant]] = {}
    for mutant in mutants:
        base = next(base for base in PACKAGES if mutant.file.startswith(base))
        packages.setdefault(base.rpartition("/")[2], []).append(mutant)
    lived = [mutant for mutant in mutants if mutant.outcome in ("survived", "no tests")]
    return {
        "seed": seed,
        "drawn": drawn,
        "run": len(mutants),
        "score": _score(mutants),
        "packages": {n: {"run": len(m), "score": _score(m)} for n, m in sorted(packages.items())},
        "lived": [asdict(mutant) for mutant in lived],
        "all": [asdict(mutant) for mutant in mutants],
    }


def _score(mutants: Sequence[Mutant]) -> float:
    judged = [mutant for mutant in mutants if mutant.outcome not in UNDECIDED]
    dead = sum(mutant.outcome == "killed" for mutant in judged)
    return round(dead / len(judged), 3) if judged else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=300, help="how many mutants")
    parser.add_argument("--seconds", type=float, default=3600.0, help="stop after so long")
    parser.add_argument("--workers", type=int, default=2, help="processes of the coverage run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, default=RESULT, help="where the score is stored")
    options = parser.parse_args()
    end = time.monotonic() + options.seconds
    for name in LIBRARIES:
        import_module(name)
    chosen = sample(options.count, options.seed)
    if not COVERING.exists():
        COVERING.parent.mkdir(exist_ok=True)
        measure(ROOT, PACKAGES, workers=options.workers).save(COVERING)
    covering = Covering.load(COVERING)
    done = known(options.json, options.seed)
    before = {(mutant.file, mutant.line, mutant.change) for mutant in done}
    sound: set[tuple[str, ...]] = set()  # sets of tests that pass where nothing is changed
    with copied_tree() as tree:
        _in_a_fork(tree, ["--collect-only", "tests"])  # compiles all once
        for place, change in chosen:
            if time.monotonic() > end:
                break
            if (place.file, place.line, changed(tree, place, change)[1]) in before:
                continue
            tests = covering.tests(place.file, place.line)
            mutant = try_mutant(tree, place, change, tests)
            if mutant.outcome == "killed" and tests not in sound and _in_a_fork(tree, tests):
                mutant = replace(mutant, outcome="unsound")
            elif mutant.outcome in ("killed", "survived"):
                sound.add(tests)
            done.append(mutant)
            print(
                f"{len(done):4d} {mutant.outcome:12s} {mutant.seconds:6.1f} s  "
                f"{mutant.file}:{mutant.line}  {mutant.change}",
                flush=True,
            )
            found = report(done, drawn=len(chosen), seed=options.seed)
            options.json.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(f"{_score(done):.1%} of {len(done)} mutants were noticed")


if __name__ == "__main__":
    main()
