"""Measure how often answers speak falsely and truly, and write the table of the docs.

python -m calibration                  run all, store results, write docs/calibration.md
python -m calibration --only noise     one question
python -m calibration --render         only write the page from what is stored
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from calibration.frame import CASES, count, interval

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PAGE = HERE.parent / "docs" / "calibration.md"

QUESTIONS = ("noise",)
"""Modules that register cases."""

HEAD = """# Calibration

What each answer says of runs whose truth is known. The runs are trainings watched by the recorder,
their gradients are planted; `python -m calibration` repeats it and writes this page. Of what is
false the share is a false-positive rate, which must not exceed the limit; of what is true it is the
power. Intervals are exact, 95 %.
"""


def main() -> None:
    """Run what is asked for, store it, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=QUESTIONS)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--render", action="store_true")
    options = parser.parse_args()
    for question in QUESTIONS if options.only is None else (options.only,):
        import_module(f"calibration.{question}")
        if not options.render:
            store(question, options.runs)
    PAGE.write_text(render(RESULTS), "utf-8")


def store(question: str, runs: int) -> None:
    """Run the cases of a question; the result is written after each, so that none is lost."""
    rows: list[dict[str, Any]] = []
    for case in (case for case in CASES if case.question == question):
        for said, told in count(case, runs).items():
            low, high = interval(told, runs)
            false = said in case.false
            rows.append(
                {
                    "name": case.name,
                    "said": said,
                    "false": false,
                    "told": told,
                    "runs": runs,
                    "low": low,
                    "high": high,
                    "limit": case.limit if false else case.power,
                }
            )
        RESULTS.mkdir(exist_ok=True)
        text = json.dumps({"question": question, "rows": rows}, indent=1)
        (RESULTS / f"{question}.json").write_text(text + "\n", "utf-8")
        print(f"{question}: {case.name}: {rows[-1]['told']} of {runs}", flush=True)


def render(results: Path) -> str:
    """The page."""
    parts = [HEAD]
    for path in sorted(results.glob("*.json")):
        found = json.loads(path.read_text("utf-8"))
        parts.append(f"## {found['question'].capitalize()}\n")
        head = ("runs of", "said", "which is", "share", "95 %", "limit")
        lines = [head, ("---",) * len(head), *(_line(row) for row in found["rows"])]
        parts.append("\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n")
    return "\n".join(parts)


def _line(row: dict[str, Any]) -> Iterator[str]:
    share, sign = row["told"] / row["runs"], "≤" if row["false"] else "≥"
    yield row["name"]
    yield row["said"]
    yield "false" if row["false"] else "true"
    yield f"{row['told']} of {row['runs']} ({100 * share:.1f} %)"
    yield f"{100 * row['low']:.1f} to {100 * row['high']:.1f} %"
    yield f"{sign} {100 * row['limit']:.0f} %"


if __name__ == "__main__":
    main()
