"""Run the benchmarks, keep their results, render the page, and tell what got slower.

    python -m benchmarks                    run all, store results, write docs/benchmarks.md
    python -m benchmarks --only sketch      run one
    python -m benchmarks --check            run all, compare ratios with the stored ones
    python -m benchmarks --render           only write the page from what is stored

Every benchmark is a process of its own. Only ratios are compared: both of their sides were timed in
the same run, in turns. A ratio counts as worse where it fell short of the stored one by more than
the tolerance; the exit status is then 1.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.catalogue import CATALOGUE, Benchmark
from benchmarks.page import render

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PAGE = HERE.parent / "docs" / "benchmarks.md"

TOLERANCE = 0.25
"""Ratios vary by so much from run to run on a machine that does other things as well."""


def run(benchmark: Benchmark, out: Path, *, quick: bool) -> dict[str, Any] | None:
    """Run one benchmark; its result, or ``None`` where it failed or what it needs is missing."""
    options = benchmark.quick if quick else benchmark.options
    command = [sys.executable, "-m", f"benchmarks.{benchmark.module}", *options]
    command += [benchmark.flag, str(out if benchmark.flag == "--json" else out.with_suffix(""))]
    print(f"→ {benchmark.name}", flush=True)
    done = subprocess.run(command, cwd=HERE.parent, stdout=subprocess.DEVNULL)
    if done.returncode or not out.exists():
        print(f"  {benchmark.name} failed with status {done.returncode}", file=sys.stderr)
        return None
    found: dict[str, Any] = json.loads(out.read_text("utf-8"))
    return found


def slower(benchmark: Benchmark, now: dict[str, Any], stored: dict[str, Any]) -> list[str]:
    """Ratios that are worse than the stored ones by more than the tolerance, in words."""
    found = []
    before, after = benchmark.ratios(stored), benchmark.ratios(now)
    for name, old in before.items():
        new = after.get(name)
        if new is None:
            found.append(f"{benchmark.name}: {name} is no longer measured")
        elif benchmark.worse(new, old, TOLERANCE):
            found.append(f"{benchmark.name}: {name} was {old:.3g} and is {new:.3g}")
    return found


def check(chosen: list[Benchmark], *, quick: bool) -> int:
    """Run and compare; what is stored stays."""
    complaints: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for benchmark in chosen:
            kept = RESULTS / f"{benchmark.name}.json"
            if not kept.exists():
                print(f"  {benchmark.name}: nothing stored to compare with")
                continue
            now = run(benchmark, Path(folder) / kept.name, quick=quick)
            if now is None:
                complaints.append(f"{benchmark.name} did not run")
            else:
                complaints += slower(benchmark, now, json.loads(kept.read_text("utf-8")))
    print("\n".join(complaints) or "nothing got slower")
    return int(bool(complaints))


def main() -> int:
    """Do what the options say."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [benchmark.name for benchmark in CATALOGUE]
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--render", action="store_true")
    parser.add_argument(
        "--quick", action="store_true", help="fewer rounds; the ratios scatter more"
    )
    options = parser.parse_args()
    chosen = [benchmark for benchmark in CATALOGUE if benchmark.name in options.only]
    if options.check:
        return check(chosen, quick=options.quick)
    failed = 0
    if not options.render:
        for benchmark in chosen:
            out = RESULTS / f"{benchmark.name}.json"
            failed += run(benchmark, out, quick=options.quick) is None
    PAGE.write_text(render(RESULTS), "utf-8")
    return int(bool(failed))


if __name__ == "__main__":
    raise SystemExit(main())
