"""Which blocks of a run a finding or a page speaks of."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from spectrain.core import Block, InputError
from spectrain.records import Run


def select_blocks(
    run: Run, *, include: Sequence[str] = ("*",), exclude: Sequence[str] = ()
) -> tuple[Block, ...]:
    """The blocks whose name matches a pattern to include and none to exclude.

    Args:
        run: an open run.
        include: patterns in which ``*`` and ``?`` stand for any characters; brackets, which are
            part of many names, stand for themselves.
        exclude: patterns likewise.

    Raises:
        InputError: a pattern matches no block of a run that has blocks.
    """
    for pattern in (*include, *exclude):
        if run.blocks and not any(_matches(block.name, pattern) for block in run.blocks):
            raise InputError(
                f"the pattern {pattern!r} matches no block of {run.path}",
                remedy=f"see the names there, such as {run.blocks[0].name}",
            )
    return tuple(
        block
        for block in run.blocks
        if any(_matches(block.name, pattern) for pattern in include)
        and not any(_matches(block.name, pattern) for pattern in exclude)
    )


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern.replace("[", "[[]"))
