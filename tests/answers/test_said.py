"""What is said of runs whose truth is known, word for word: sentences, table and page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from spectrain.answers import QUESTIONS, Finding
from spectrain.answers.question import Question
from spectrain.calibration.rates import planted_of, train
from spectrain.records import Run
from support.looked_at import compare

SAID = Path(__file__).parent / "said"
ROWS = 3


@pytest.mark.parametrize("name", [name for name in QUESTIONS if planted_of(name)])
def test_what_is_said_of_planted_runs(name: str, tmp_path: Path) -> None:
    question = QUESTIONS[name]
    kinds = {planted.name: planted for planted in planted_of(name)}
    lines: list[str] = []
    for number, (kind, planted) in enumerate(kinds.items()):
        run = train(planted, 0, tmp_path / f"run-{number}")
        finding = question.answer(run)
        lines += [f"# {kind}", *sentences(finding), *table(question, run, finding)]
        lines += [*page(question, run, finding), ""]
    compare(SAID / f"{name}.txt", "\n".join(lines))


def sentences(finding: Finding[Any, Any]) -> Iterator[str]:
    """All that the terminal says, in its order."""
    yield f"{finding.sign}, {finding.status}, {finding.label}: {finding.sentence}"
    yield f"→ {finding.action}"
    yield finding.statement
    yield from (f"- {line}" for line in (*finding.advice, finding.confidence, *finding.limits))


def table(question: Question[Any, Any], run: Run, finding: Finding[Any, Any]) -> Iterator[str]:
    """The first rows of the table of blocks, what is hovered over included, and why they matter."""
    columns = question.columns(run) if question.columns else ()
    for row in finding.rows[:ROWS]:
        cells = [(column.label, column.cell(row)) for column in columns]
        shown = [f"{label} {words(cell.content)} ({cell.title})" for label, cell in cells]
        concern = question.concern(row) if question.concern else None
        why = f"{concern.text} ({concern.weight})" if concern else "no concern"
        yield f"| {row.block} | {' | '.join(shown)} | {why}"


def page(question: Question[Any, Any], run: Run, finding: Finding[Any, Any]) -> Iterator[str]:
    """The words of its part of the page, and what its script is given."""
    part = question.part(run, run.blocks, finding) if question.part else None
    if part is not None:
        yield f"[{part.title}] {' '.join(words(html) for html in part.body)}"
        yield json.dumps(outline(part.data), ensure_ascii=False)


def words(html: str) -> str:
    """Text between tags."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html))).strip()


def outline(data: Any) -> Any:
    """Data of charts with numbers in three digits, and of long lists both ends."""
    match data:
        case dict():
            return {str(key): outline(value) for key, value in data.items()}
        case list() | tuple():
            kept = data if len(data) <= 4 else [*data[:2], len(data), *data[-2:]]
            return [outline(value) for value in kept]
        case float():
            return float(f"{data:.3g}")
    return data
