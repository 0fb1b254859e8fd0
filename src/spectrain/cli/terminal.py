"""What the commands share on the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table
from rich.text import Text

from spectrain.cli.fitted_table import Row, fitted

STYLES = {
    "spectral": "bold blue",
    "euclidean": "bold yellow",
    "falling": "bold magenta",
    "rising": "bold green",
    "holds": "bold green",
    "fails": "bold red",
}


class _Console(Console):
    """One that leaves a closed pipe to the caller."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console() -> Console:
    """Standard output; wide where it is not a terminal, so that lines stay whole in a file.

    ``COLUMNS`` sets the width, whatever it is.
    """
    return _Console(width=None if sys.stdout.isatty() else _columns() or 200)


def _columns() -> int | None:
    """The width that the environment asks for."""
    text = os.environ.get("COLUMNS", "")
    return int(text) if text.isascii() and text.isdecimal() and int(text) > 0 else None


@contextmanager
def working(task: str) -> Iterator[None]:
    """Show on standard error that something is being done."""
    with Console(stderr=True).status(task):
        yield


def table(*columns: str, numbers: tuple[str, ...] = ()) -> Table:
    """An empty table; columns of numbers are aligned to the right."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        made.add_column(Text(column), justify="right" if column in numbers else "left")
    return made


def printable(text: str) -> str:
    """Text that a user chose, without control sequences."""
    return "".join(part if part.isprintable() else "�" for part in text)


def plain(text: str) -> Text:
    """The same for a cell or a line, folded where it is too long."""
    return Text(printable(text), overflow="fold")


def say(text: str) -> None:
    """Print a line that may hold what a user chose."""
    console().print(plain(text), highlight=False)


def terminal_width() -> int | None:
    """Width of the terminal; ``None`` where there is none: lines may have any length."""
    return console().width if sys.stdout.isatty() else _columns()


def show_fitted(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Row],
    *,
    numbers: Iterable[str] = (),
    last: Sequence[str] = (),
) -> None:
    """Print a table that fits the terminal; see :func:`~spectrain.cli.fitted_table.fitted`."""
    width = terminal_width()
    cleaned = [
        Row(printable(row.name), [printable(cell) for cell in row.cells], printable(row.reason))
        for row in rows
    ]
    out = console()
    for line in fitted(title, columns, cleaned, width=width, numbers=frozenset(numbers), last=last):
        out.print(Text(line), soft_wrap=True, highlight=False)


def show_events(sentences: Iterable[str]) -> None:
    """Print what happened to a run, before all else."""
    for sentence in sentences:
        console().print(Text.assemble(("! ", "bold red"), plain(sentence)))


def verdict(name: str) -> Text:
    """A verdict in its colour."""
    return Text(name, style=STYLES.get(name, "dim"))
