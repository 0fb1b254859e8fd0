"""How objects show themselves in a notebook: a line, and a small table that is safe to show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import islice

MOST_ROWS = 20
"""Rows that a notebook's table shows."""


def small_table(
    title: str, rows: Iterable[Sequence[object]], *, head: Sequence[str] = (), total: int = 0
) -> str:
    """A title over a table, all escaped: what ``_repr_html_`` returns.

    Args:
        title: in bold.
        rows: cells; those beyond 20 are left out.
        head: headings, if any.
        total: number of rows, where it may be more than are shown.

    Example:
        >>> small_table("a < b", [("x", 1)])
        '<div><b>a &lt; b</b><table><tr><td>x</td><td>1</td></tr></table></div>'
    """
    shown = list(islice(rows, MOST_ROWS))
    lines = [_row("th", head)] if head else []
    lines += [_row("td", row) for row in shown]
    left = total - len(shown)
    more = f"<p>and {left:,} more</p>" if left > 0 else ""
    table = f"<table>{''.join(lines)}</table>" if lines else ""
    return f"<div><b>{escape(title)}</b>{table}{more}</div>"


def _row(tag: str, cells: Sequence[object]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(str(cell))}</{tag}>' for cell in cells)}</tr>"
