"""A question is one folder: here a toy, in a package of its own, and all that becomes of it."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from spectrain.answers import QUESTIONS, diagnose
from spectrain.cli.main import main
from spectrain.core import InputError
from spectrain.report import compare, render, render_comparison
from support.synthetic_run import Recipe, gpt_blocks, write_run

TOY = '''
"""Breadth: which blocks are wide?"""

from dataclasses import dataclass
from enum import StrEnum

from spectrain.answers.finding import Finding, Group, Label, Row, Sign, Status, about
from spectrain.answers.question import QUESTIONS, Part, Question, RoleTable, Told
from spectrain.page.table import Column, text


class Verdict(StrEnum):
    """Of a block."""

    WIDE = "wide"
    NARROW = "narrow"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreadthRow(Row):
    """One block."""

    verdict: Verdict


def breadth(run, *, blocks=None):
    """Which blocks are wide?"""
    rows = tuple(
        BreadthRow(**about(block), verdict=Verdict.WIDE if block.shape[1] > 64 else Verdict.NARROW)
        for block in (run.blocks if blocks is None else blocks)
    )
    roles = dict.fromkeys(row.role for row in rows)
    return Finding(
        name="breadth",
        question="Which blocks are wide?",
        status=Status.ANSWERED,
        sign=Sign.WATCH,
        sentence="Some blocks are toy-wide.",
        action="Measure them with a toy rule.",
        statement="Some blocks are toy-wide, others are not.",
        confidence="",
        label=Label.TEST,
        rows=rows,
        groups=tuple(
            Group(role=role, blocks=sum(row.role == role for row in rows)) for role in roles
        ),
    )


QUESTIONS.register(
    Question(
        name="breadth",
        text="Which blocks are wide?",
        answer=breadth,
        verdicts={
            Verdict.WIDE: Told("W", "more than 64 toy columns"),
            Verdict.NARROW: Told("N", "64 or fewer"),
        },
        columns=lambda run: (
            Column("Breadth of toys", "wide or narrow", lambda row: text(str(row.verdict))),
        ),
        part=lambda run, blocks, finding: Part("A chart of toys", (), {"toys": len(finding.rows)}),
        script=__name__,
        compared=(RoleTable("toys", "How many toys.", lambda group: f"{group.blocks} toys"),),
    )
)
'''


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The toy beside the two questions that are answered fastest."""
    few = {name: QUESTIONS[name] for name in ("descent", "audit")}
    monkeypatch.setattr(QUESTIONS, "_questions", few)
    folder = tmp_path / "toys" / "breadth"
    folder.mkdir(parents=True)
    (tmp_path / "toys" / "__init__.py").write_text("")
    (folder / "__init__.py").write_text(TOY)
    (folder / "page.js").write_text("/* the toy's script */")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("toys.breadth")
    yield
    for name in ("toys.breadth", "toys"):
        del sys.modules[name]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", Recipe(blocks=gpt_blocks(1), steps=range(10))).path


@pytest.mark.usefixtures("toy")
def test_a_question_in_one_folder_is_everywhere(run, tmp_path, capsys):
    from spectrain.records import open_run

    opened = open_run(run)
    findings = diagnose(opened)
    assert findings[-1].name == "breadth"

    page = render(opened, tmp_path / "page.html", findings=findings).read_text("utf-8")
    assert "Some blocks are toy-wide, others are not." in page
    assert "Breadth of toys" in page
    assert page.count(">narrow</td>") == sum(b.shape[1] <= 64 for b in opened.blocks)
    assert "A chart of toys" in page
    assert '"breadth":{"toys":9}' in page
    assert "/* the toy's script */" in page

    runs = [opened, opened]
    file = render_comparison(runs, tmp_path / "both.html", comparison=compare(runs))
    assert "1 toys" in file.read_text("utf-8")

    assert main(["explain", str(run)]) == 0
    out = capsys.readouterr().out
    assert "Some blocks are toy-wide." in out
    assert "Measure them with a toy rule." in out

    assert main(["explain", str(run), "breadth", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["name"], told["sign"]) == ("breadth", "watch")
    assert told["rows"][0]["verdict"] == "wide"


@pytest.mark.usefixtures("toy")
def test_a_question_in_one_folder_is_in_the_reference():
    path = Path(__file__).parents[2] / "docs" / "generate.py"
    spec = importlib.util.spec_from_file_location("generate", path)
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    reference = generate.questions(QUESTIONS)
    assert "Which blocks are wide?" in reference
    assert "more than 64 toy columns" in reference
    assert ".. autofunction:: toys.breadth.breadth" in reference


@pytest.mark.usefixtures("toy")
def test_no_name_is_taken_twice():
    with pytest.raises(InputError, match="'breadth' is registered twice; rename one"):
        QUESTIONS.register(QUESTIONS["breadth"])


def test_a_question_that_nobody_asks_is_named():
    with pytest.raises(InputError, match="there is no question 'breath'; ask descent, rank, noise"):
        QUESTIONS["breath"]


def test_every_question_says_what_its_verdicts_mean():
    for question in QUESTIONS.values():
        assert question.text.endswith("?")
        assert question.verdicts
        assert all(told.mark and told.meaning for told in question.verdicts.values())
