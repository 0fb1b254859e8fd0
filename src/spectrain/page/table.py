"""Tables that the reader can sort: columns of rows of one kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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
        title: shown where the reader points at it; it is what explains an empty cell.
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
            data_hint=self.title,
        )


def text(content: str, *, title: str | None = None) -> Cell:
    """A cell of words, sorted by them."""
    return Cell(content, title=title)


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


def sortable(
    headings: Sequence[tuple[str, str]],
    rows: Iterable[Html],
    *,
    id: str,
    label: str,
    class_: str | None = None,
) -> Html:
    """A table that is sorted by pressing a heading, searched, and saved as CSV.

    Args:
        headings: each with what its column holds, for who points at it.
        rows: of cells, with ``data-sort`` where the text is not what the column is sorted by.
        id: of the table.
        label: what it is a table of.
        class_: of the table.
    """
    head = (
        element(
            "th", element("button", heading, type="button", data_hint=hint or None), scope="col"
        )
        for heading, hint in headings
    )
    table = element(
        "table",
        element("thead", element("tr", *head)),
        element("tbody", *rows),
        id=id,
        class_=f"sortable {class_}" if class_ else "sortable",
        aria_label=label,
    )
    return element(
        "div", table, class_="scroll", tabindex="0", role="region", aria_label=f"Table: {label}"
    )
