"""A bar on standard error while something is measured."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def bar(what: str, steps: int, *, shown: bool) -> Iterator[Callable[[], None]]:
    """What advances the bar by one step; drawn only on a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    quiet = not (shown and sys.stderr.isatty())
    with Progress(console=Console(stderr=True), transient=True, disable=quiet) as progress:
        task = progress.add_task(what, total=steps)
        yield lambda: progress.advance(task)
