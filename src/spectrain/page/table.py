"""Tables that the reader can sort: columns of rows of one kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from spectrain.page.format import MISSING
from spectrain.page.html import Html, element

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    Attributes:
        content: text, or markup.
        order: what the column is sorted by; the text if not given.
        title: shown where the reader points at it.
        number: whether it is aligned like a number.
    """

    content: str
    order: str | float | None = None
    title: str | None = None
    number: bool = False

    def draw(self) -> Html:
        """The cell as HTML."""
        return element(
            "td",
            self.content,
            class_="number" if self.number else None,
            data_sort=self.order,
            title=self.title,
        )


def text(content: str, *, title: str | None = None) -> Cell:
    """A cell of words, sorted by them."""
    return Cell(content, content, title)


def numeric(content: str, order: float | None, *, title: str | None = None) -> Cell:
    """A cell of a number, sorted by it."""
    return Cell(content, order, title, number=True)


ABSENT = Cell(MISSING)
"""What stands where there is nothing to tell."""


@dataclass(frozen=True, slots=True)
class Column(Generic[R]):
    """One column.

    Attributes:
        label: its heading.
        title: what it holds, for who points at the heading.
        cell: of a row.
    """

    label: str
    title: str
    cell: Callable[[R], Cell]


def sortable_head(headings: Sequence[tuple[str, str]]) -> Html:
    """The head of a table that is sorted by pressing a heading."""
    return element(
        "thead",
        element(
            "tr",
            *(
                element("th", element("button", label, type="button", title=title), scope="col")
                for label, title in headings
            ),
        ),
    )
