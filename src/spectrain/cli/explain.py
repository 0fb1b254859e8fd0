"""``spectrain explain``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from spectrain.cli.terminal import console, plain, show_events, table, terminal_width, working

if TYPE_CHECKING:
    from spectrain.answers import Finding

_ROOMY = 80
"""Columns of a terminal that has room for three columns of text."""

_ORDER = ("act", "watch", "not enough data", "good")
_STYLES = {"act": "bold red", "watch": "bold yellow", "good": "bold green"}


def run(
    path: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    questions: Annotated[
        tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="QUESTION")
    ] = (),
    *,
    include: tuple[str, ...] = ("*",),
    exclude: tuple[str, ...] = (),
    verbose: Annotated[bool, tyro.conf.arg(aliases=["-v"])] = False,
    json: bool = False,
) -> None:
    """Say what the records of a run show: a verdict, a sentence and an action for each question.

    What asks for action comes first, then what is worth watching, then what lacks data, with what
    would answer it.

    Args:
        path: the run folder.
        questions: those to answer, such as rank and noise; all if none is given.
        include: speak of blocks whose name matches one of these patterns.
        exclude: leave out blocks whose name matches one of these patterns.
        verbose: also print the evidence, all advice, and what each answer does not cover.
        json: print the findings as JSON.
    """
    from spectrain.answers import diagnose, events, select_blocks
    from spectrain.answers.tried import trials_of
    from spectrain.records import open_run

    opened = open_run(path)
    blocks = select_blocks(opened, include=include, exclude=exclude)
    with working("reading the records"):
        findings = diagnose(opened, blocks=blocks, questions=questions or None)
    if json:
        print(dumps([finding.to_dict() for finding in findings], allow_nan=False))
    else:
        show_events(events(opened))
        show(findings, verbose=verbose)
        for trial in trials_of(opened) if not questions else ():
            console().print(plain(trial.sentence))


def show(findings: Sequence[Finding[Any, Any]], *, verbose: bool = False) -> None:
    """Print findings, the worst first."""
    if verbose:
        for finding in _worst_first(findings):
            _in_full(finding)
        return
    out = console()
    for line in answer_lines(findings, terminal_width()):
        out.print(line)


def _worst_first(findings: Sequence[Finding[Any, Any]]) -> list[Finding[Any, Any]]:
    return sorted(findings, key=lambda finding: _ORDER.index(finding.sign))


def answer_lines(
    findings: Sequence[Finding[Any, Any]], width: int | None
) -> Iterator[RenderableType]:
    """Each answer with its sign, sentence and action, the worst first, for a terminal that wide."""
    rows = table("", "", "")
    rows.show_header = False
    for finding in _worst_first(findings):
        text = plain(finding.sentence)
        if finding.action:
            text = Text.assemble(text, "\n", plain(f"→ {finding.action}"))
        sign = Text(str(finding.sign), style=_STYLES.get(finding.sign, "dim"))
        name = Text(finding.name, style="bold")
        if width is None or width >= _ROOMY:
            rows.add_row(sign, name, text)
        else:
            yield Text.assemble(sign, "  ", name)
            yield Padding(text, (0, 0, 0, 2))
    if rows.row_count:
        yield rows


def _in_full(finding: Finding[Any, Any]) -> None:
    out = console()
    sign = Text(str(finding.sign), style=_STYLES.get(finding.sign, "dim"))
    out.print(Text.assemble(sign, " ", (finding.name, "bold"), " ", finding.question))
    parts = (
        ("", (finding.statement,)),
        ("", [f"→ {line}" for line in finding.to_do]),
        ("dim", (finding.confidence,)),
        ("dim", finding.limits),
    )
    for style, lines in parts:
        for line in filter(None, lines):
            text = plain(line)
            text.stylize(style)
            out.print(Padding(text, (0, 0, 0, 2)))
    out.print()
