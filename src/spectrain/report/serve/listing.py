"""What a folder of runs holds, without reading the runs: states, last records, last losses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from spectrain.core import RunError, Source
from spectrain.records import LOSS, Run, State, open_run
from spectrain.records.layout import MANIFEST, METRICS, current, list_parts

DEEPEST = 4
"""Depth to which folders below the one that is served are searched."""

MOST_RUNS = 1000

STATES = {
    State.RUNNING: "running",
    State.FINISHED: "finished",
    State.KILLED: "killed",
    State.FAILED: "crashed",
    State.UNFINISHED: "unfinished",
}
"""A state in the words of the list."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One run of the list.

    Attributes:
        name: path below the served folder.
        state: in words.
        started: when its first attempt began; empty where that is not known.
        last_record: when records were last written, in seconds since 1970; ``None`` without any.
        step: the last that is recorded.
        loss: the last that was logged.
        blocks: how many it has.
        problem: why it cannot be read; then nothing else is known.
    """

    name: str
    state: str = "unreadable"
    started: str = ""
    last_record: float | None = None
    step: int | None = None
    loss: float | None = None
    blocks: int = 0
    problem: str = ""


def list_runs(folder: Path) -> list[Listed]:
    """The runs in a folder and below, those that wrote last at the top."""
    listed = [_listed(name, path) for name, path in find_runs(folder).items()]
    return sorted(listed, key=lambda one: (-(one.last_record or 0.0), one.name))


def find_runs(folder: Path) -> dict[str, Path]:
    """Run folders by their path below a folder; what lies outside by a link is left out.

    Example:
        >>> import tempfile
        >>> from spectrain.records import RunWriter
        >>> with tempfile.TemporaryDirectory() as place:
        ...     for name in ("demo/muon", "demo/adamw"):
        ...         RunWriter(Path(place) / name, manifest={}).close({})
        ...     sorted(find_runs(Path(place)))
        ['demo/adamw', 'demo/muon']
    """
    root = folder.resolve()
    folders: dict[str, Path] = {}
    for path in _walk(root):
        name = root.name if path == root else path.relative_to(root).as_posix()
        folders[name] = path
        if len(folders) == MOST_RUNS:
            break
    return folders


def _walk(root: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(root):  # follows no links
        path = Path(place)
        if MANIFEST in files:
            yield path
            folders.clear()
        elif len(path.relative_to(root).parts) >= DEEPEST:
            folders.clear()
        folders.sort()


def _listed(name: str, path: Path) -> Listed:
    try:
        run = open_run(path)
        last = run.last_record_at
        attempts = run.attempts
        step, loss = last_values(run)
    except (RunError, OSError) as error:
        return Listed(name, problem=str(error))
    return Listed(
        name=name,
        state=STATES[run.state],
        started=min((attempt.started_at for attempt in attempts), default=""),
        last_record=None if last is None else last.timestamp(),
        step=step,
        loss=loss,
        blocks=len(run.blocks),
    )


def last_values(run: Run) -> tuple[int | None, float | None]:
    """The last recorded step and the last logged loss, out of the newest parts alone."""
    folder = run.path / METRICS
    parts = current(list_parts(folder))
    if not parts:
        return None, None
    lowest = min(part.rank for part in parts)
    step: int | None = None
    for part in reversed([part for part in parts if part.rank == lowest][-3:]):
        try:
            rows = pl.scan_parquet(folder / part.name, glob=False, hive_partitioning=False)
            last = rows.select(pl.max("step")).collect().item()
            step = last if step is None else step
            mine = (pl.col("source") == str(Source.TRAINING)) & (pl.col("measure") == LOSS)
            losses = rows.filter(mine).sort("step").tail(1).collect()
        except (pl.exceptions.PolarsError, OSError):  # damaged, or thinned at this moment
            continue
        if losses.height:
            return step, losses["value"][0]
    return step, None


def version(run: Run) -> str:
    """A text that changes when the run's records do."""
    names = [f"{part.first}-{part.last}-{part.crc}" for part in list_parts(run.path / METRICS)]
    return f"{run.state}-{len(names)}-{max(names, default='')}-{run.last_record_at}"
