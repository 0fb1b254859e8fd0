"""Tables that fit the terminal: a row is a line, names lose their beginnings."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

GAP = 2
"""Spaces between columns."""

LEAST_NAME = 20
"""Characters that names keep at least, and what tells them apart, while columns can go."""

_UNSAID = ".weight"


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table.

    Attributes:
        name: of what the line is about.
        cells: by column.
        reason: why cells are empty, or what qualifies them.
    """

    name: str
    cells: Sequence[str]
    reason: str = ""


def fitted(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Row],
    *,
    width: int | None,
    numbers: frozenset[str] = frozenset(),
    last: Sequence[str] = (),
) -> list[str]:
    """Lines of a table.

    Args:
        title: heading of the names.
        columns: headings of the cells.
        rows: the lines.
        width: of the terminal; ``None`` where lines may have any length.
        numbers: columns that are aligned to the right.
        last: columns that are left out first where there is no room, in this order; then the
            others from the right.

    Example:
        >>> row = Row("model.layers.0.mlp.up_proj.weight", ["1.25", "a"])
        >>> for line in fitted("block", ["norm", "role"], [row], width=30):
        ...     print(line)
        block                     norm
        model.….0.mlp.up_proj     1.25
    """
    kept = list(range(len(columns)))
    widths = [
        max(len(column), *(len(row.cells[at]) for row in rows), 0) if rows else len(column)
        for at, column in enumerate(columns)
    ]
    longest = max((len(row.name) for row in rows), default=0)
    least = max(len(title), min(longest, _distinct([row.name for row in rows], longest)))
    order = [columns.index(name) for name in last if name in columns]
    order += [at for at in reversed(kept) if at not in order]
    while width is not None and len(kept) > 1 and _taken(least, kept, widths) > width:
        kept.remove(next(at for at in order if at in kept))
    room = longest if width is None else width - _taken(0, kept, widths)
    side = max(len(title), min(longest, room))
    lines = [_line(title, [columns[at] for at in kept], kept, widths, columns, numbers, side)]
    for row in rows:
        cells = [row.cells[at] for at in kept]
        line = _line(shortened(row.name, side), cells, kept, widths, columns, numbers, side)
        if width is None or len(line) + GAP + len(row.reason) <= width:
            lines.append(f"{line}  {row.reason}".rstrip())
        else:
            lines.append(line.rstrip())
            lines += textwrap.wrap(
                row.reason, max(width - 4, 20), initial_indent="    ", subsequent_indent="    "
            )
    return lines


def shortened(name: str, room: int) -> str:
    """A name without what says least: ``.weight`` at its end, then its middle.

    Example:
        >>> shortened("model.layers.0.mlp.up_proj.weight", 24)
        'model.….0.mlp.up_proj'
        >>> shortened("model.layers.0.mlp.up_proj.weight", 12)
        'mod….up_proj'
    """
    if len(name) <= room:
        return name
    short = name.removesuffix(_UNSAID)
    if len(short) <= room:
        return short
    first, *rest = short.split(".")
    for dropped in range(1, len(rest)):
        kept = ".".join([first, "…", *rest[dropped:]])
        if len(kept) <= room:
            return kept
    end = min(len(rest[-1]) + 1 if rest else room // 2, (2 * room) // 3)
    start = max(room - end - 1, 0)
    return f"{short[:start]}…{short[len(short) - end :]}"


def _distinct(names: Sequence[str], longest: int) -> int:
    """The least room in which names that differ still do."""
    unlike = len(set(names))
    rooms = range(LEAST_NAME, longest)
    return next(
        (room for room in rooms if len({shortened(name, room) for name in names}) == unlike),
        longest,
    )


def _taken(name: int, kept: Sequence[int], widths: Sequence[int]) -> int:
    return name + sum(widths[at] + GAP for at in kept)


def _line(
    name: str,
    cells: Sequence[str],
    kept: Sequence[int],
    widths: Sequence[int],
    columns: Sequence[str],
    numbers: frozenset[str],
    side: int,
) -> str:
    parts = [name.ljust(side)]
    for at, cell in zip(kept, cells, strict=True):
        parts.append(cell.rjust(widths[at]) if columns[at] in numbers else cell.ljust(widths[at]))
    return (" " * GAP).join(parts)
