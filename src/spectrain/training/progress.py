"""The progress bar of a training, on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def progress_bar(name: str, *, start: int, steps: int) -> Iterator[Callable[[float], None]]:
    """Show how far a training is; yields a function that takes each step's loss."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.3f}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=2) as progress:
        task = progress.add_task(name, total=steps, completed=start, loss=float("nan"))

        def advance(loss: float) -> None:
            progress.update(task, advance=1, loss=loss)

        yield advance
