"""What the commands share on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table
from rich.text import Text

STYLES = {
    "spectral": "bold blue",
    "euclidean": "bold yellow",
    "falling": "bold magenta",
    "rising": "bold green",
    "holds": "bold green",
    "fails": "bold red",
}


def console() -> Console:
    """Standard output; wide where it is no terminal, so that lines stay whole in a file."""
    return Console(width=None if sys.stdout.isatty() else 200)


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


def plain(text: str) -> Text:
    """Text that a user chose, with nothing in it that a terminal would obey."""
    return Text("".join(part if part.isprintable() else "�" for part in text), overflow="fold")


def show_events(sentences: Iterable[str]) -> None:
    """Print what befell a run, before all else."""
    for sentence in sentences:
        console().print(Text.assemble(("! ", "bold red"), plain(sentence)))


def verdict(name: str) -> Text:
    """A verdict in its colour."""
    return Text(name, style=STYLES.get(name, "dim"))
