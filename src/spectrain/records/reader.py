"""Reading a run folder: finished, still being written, or killed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import polars as pl

from spectrain.core import Block, InputError, RunError, Skipped, Source
from spectrain.core.notebook import small_table
from spectrain.records.attempt import (
    Attempt,
    attempt_names,
    is_at_work,
    load_attempt,
    replaced_from,
)
from spectrain.records.layout import (
    ATTEMPTS,
    METRICS,
    SPECTRA,
    Part,
    current,
    is_sound,
    list_parts,
)
from spectrain.records.manifest import blocks_of, read_manifest, skipped_of
from spectrain.records.schema import SAMPLE, SCHEMAS, storable
from spectrain.records.versions import in_present_format

if TYPE_CHECKING:
    from spectrain.report.inline import InlinePage

Names = str | Sequence[str] | None
"""One name, several, or ``None`` for all."""

T = TypeVar("T")

_RETRIES = 20

_OFTEN, _SMALL = 4, 1 << 24
"""Number of queries from which a table of metrics of at most this many bytes is kept in memory."""


@dataclass(frozen=True, slots=True)
class Thinned:
    """What the disk budget cost: of each series of a rank's table one sample in ``one_in`` is kept.

    ``one_in`` is 0 where none is.
    """

    rank: int
    table: str
    one_in: int


class State(StrEnum):
    """How far a run came.

    ``FINISHED``: it was closed. ``FAILED``: it was closed because of an exception, which
    ``summary["error"]`` names. ``RUNNING``: its writer is alive. ``KILLED``: its process ended and
    it was not closed. ``UNFINISHED``: it was not closed, and whether its writer is alive cannot be
    determined on this platform or file system.
    """

    FINISHED = "finished"
    FAILED = "failed"
    RUNNING = "running"
    KILLED = "killed"
    UNFINISHED = "unfinished"


def open_run(path: str | os.PathLike[str]) -> Run:
    """Open a run folder, even one that is still being written or whose writer was killed.

    Every query reads what is on disk at that moment, so that a run that is being written grows.

    Args:
        path: the folder that ``spectrain.watch``, ``spectrain train`` or a
            :class:`~spectrain.records.RunWriter` wrote.

    Raises:
        RunError: the path is not a run, or a newer spectrain wrote it.
    """
    return Run(Path(path))


class Run:
    """A run on disk. Get one from :func:`open_run`.

    All frames are Polars frames; ``.to_pandas()`` needs the extra ``spectrain[pandas]``.

    Attributes:
        path: the folder.
        manifest: configuration, block table, skipped parameters, versions, seeds and host facts.
        blocks: the block table.
        skipped: parameters that are not blocks, each with its reason.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest: dict[str, Any] = read_manifest(path)
        self.blocks: tuple[Block, ...] = blocks_of(self.manifest)
        self.skipped: tuple[Skipped, ...] = skipped_of(self.manifest)
        self._sound: dict[Path, bool] = {}
        self._columns: dict[Path, tuple[str, ...]] = {}
        self._queries = 0
        self._kept: tuple[object, pl.DataFrame] | None = None

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}, {len(self.blocks)} blocks)"

    def _repr_html_(self) -> str:
        last = self.last_record_at
        losses = self.metrics(source=Source.TRAINING, measure="loss")
        rows = [
            ("state", self.state),
            ("blocks", len(self.blocks)),
            ("last record", "none yet" if last is None else f"{last:%F %T} UTC"),
        ]
        if losses.height:
            step, loss = losses["step"][-1], losses["value"][-1]
            rows.append(("loss", f"{loss:.4g} at step {step:,}"))
        rows += [(f"missing: {name}", "") for name in self.missing]
        return small_table(str(self.path), rows)

    def page(self) -> InlinePage:
        """The page of the run as it is now; in a notebook it shows as the output of its cell."""
        from spectrain.report.inline import inline_page  # the one step up, taken when it is asked

        return inline_page(self)

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """All starts of all ranks, by rank and number; those whose file is damaged are left out."""
        return tuple(attempt for attempt in self._attempts().values() if attempt)

    @property
    def summary(self) -> dict[str, Any]:
        """What watching cost, by the last attempt of the lowest rank; empty until it is closed."""
        attempts = self.attempts
        own = [attempt for attempt in attempts if attempt.rank == attempts[0].rank]
        return dict(own[-1].summary) if own else {}

    @property
    def state(self) -> State:
        """How far the last attempt of the lowest rank came.

        Example:
            >>> import tempfile
            >>> from spectrain.records import RunWriter
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     writer = RunWriter(folder, manifest={})
            ...     before = open_run(folder).state
            ...     writer.close({"finished": True})
            ...     print(before, open_run(folder).state)
            running finished
        """
        attempts = self.attempts
        own = [attempt for attempt in attempts if attempt.rank == attempts[0].rank]
        if not own:
            return State.UNFINISHED
        if own[-1].finished_at is not None:
            return State.FINISHED if own[-1].summary.get("finished", True) else State.FAILED
        alive = is_at_work(self.path / ATTEMPTS, rank=own[-1].rank)
        if alive is None:
            return State.UNFINISHED
        return State.RUNNING if alive else State.KILLED

    @property
    def last_record_at(self) -> datetime | None:
        """When records were last put on disk, in UTC; ``None`` where there are none."""
        times = [
            (self.path / table / part.name).stat().st_mtime
            for table, parts in self._steadily(self._listing).items()
            for part in parts
        ]
        return datetime.fromtimestamp(max(times), UTC) if times else None

    @property
    def thinned(self) -> tuple[Thinned, ...]:
        """What the disk budget cost; empty where everything was kept."""
        last = {attempt.rank: attempt for attempt in self.attempts}
        return tuple(
            Thinned(rank, table, one_in)
            for rank, attempt in last.items()
            for table, one_in in attempt.thinned.items()
        )

    @property
    def damaged(self) -> tuple[str, ...]:
        """Files that do not hold what was written; frames leave their rows out.

        Checking them costs one read of every part that was not read before.
        """
        return self._steadily(self._damaged)

    @property
    def missing(self) -> tuple[str, ...]:
        """What was written and is not there any more: tables, or parts of them, by name.

        Parts are numbered, so that a gap shows; what is missing at the very end does not show.

        Example:
            >>> import shutil, tempfile
            >>> from spectrain.records import RunWriter
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     RunWriter(folder, manifest={}).close({})
            ...     shutil.rmtree(Path(folder) / "metrics")
            ...     open_run(folder).missing
            ('metrics',)
        """
        if not self.attempts:
            return ()
        gone = [table for table in (METRICS, SPECTRA) if not (self.path / table).is_dir()]
        for table, parts in self._listing().items():
            for (rank, attempt), own in groupby(parts, key=_writer):
                expected = 0
                for part in own:
                    if part.first > expected:
                        lost = f"{expected} to {part.first - 1}"
                        gone.append(f"{table}: parts {lost} of rank {rank}, attempt {attempt}")
                    expected = part.last + 1
        return tuple(gone)

    def metrics(
        self, source: Names = None, measure: Names = None, block: Names = None
    ) -> pl.DataFrame:
        """Numbers as a long frame, a row each.

        Columns are step, block, source, measure, index, value, error, count, reason and rank. A
        missing ``value`` is undefined for the ``reason`` beside it. Rows come by step, those of a
        step by rank and in the order in which they were written.

        Args:
            source: one source or several; all if not given.
            measure: one measure or several.
            block: one block or several; rows of the run as a whole have none.

        Raises:
            RunError: the parts cannot be read.
        """
        where = _among(source=source, measure=measure, block=block)
        return self._steadily(lambda: self._numbers(where))

    def spectra(self, source: Names = None, block: Names = None) -> pl.DataFrame:
        """Spectra: step, block, source, values (float32), method, error, count, reason, rank.

        Args:
            source: one source or several; all if not given.
            block: one block or several.

        Raises:
            RunError: the parts cannot be read.
        """
        where = _among(source=source, block=block)
        return self._steadily(lambda: self._collect(SPECTRA, where))

    def history(self, block: str | None, *, rank: int | None = None) -> pl.DataFrame:
        """One block through time: a row per step, a column ``source/measure`` per series.

        Of a measure with several values a step each has its column, ``source/measure/index``.
        Processes that train one model share its blocks out, and each number is recorded once.

        Args:
            block: name of a block or of a parameter group; ``None`` for the rows of the run.
            rank: whose records; those of all if not given.

        Raises:
            InputError: the run knows no such block.
            RunError: the parts cannot be read.
        """
        where = [] if rank is None else [pl.col("rank") == rank]
        where += [pl.col("block").is_null()] if block is None else _among(block=block)
        rows = self._steadily(lambda: self._numbers(where))
        names = [known.name for known in self.blocks]
        if block is not None and rows.is_empty() and storable(block) not in names:
            close = get_close_matches(block, names) or names[:3]
            raise InputError(
                f"{self.path} has no records of a block {block!r}",
                remedy=f"choose one of run.blocks, such as {', '.join(close)}",
            )
        parts = (pl.col("source"), pl.col("measure"), pl.col("index").cast(pl.String))
        series = pl.concat_str(*parts, separator="/", ignore_nulls=True).alias("series")
        return rows.with_columns(series).pivot(
            "series", index="step", values="value", aggregate_function="last"
        )

    def _steadily(self, read: Callable[[], T]) -> T:
        """Read again where a thinning removed a part between its listing and its reading."""
        for _ in range(_RETRIES):
            try:
                return read()
            except FileNotFoundError:
                continue
            except pl.exceptions.PolarsError as error:
                raise RunError(
                    f"{self.path} cannot be read: {str(error).splitlines()[0]}",
                    remedy="restore it from a copy",
                ) from error
        raise RunError(
            f"parts of {self.path} vanish while they are read", remedy="try again in a moment"
        )

    def _numbers(self, where: Sequence[pl.Expr]) -> pl.DataFrame:
        """Rows of the metrics, from memory for frequent queries of a small table."""
        listing = self._listing()
        self._queries += 1
        sizes = ((self.path / METRICS / part.name).stat().st_size for part in listing[METRICS])
        if self._queries < _OFTEN or sum(sizes) > _SMALL:
            return self._collect(METRICS, where, listing)
        state = (listing, self._start_steps(listing))
        if self._kept is None or self._kept[0] != state:
            self._kept = state, self._collect(METRICS, (), listing)
        return self._kept[1].filter(*where)

    def _collect(
        self,
        table: str,
        where: Sequence[pl.Expr],
        listing: Mapping[str, Sequence[Part]] | None = None,
    ) -> pl.DataFrame:
        listing = self._listing() if listing is None else listing
        ends = replaced_from(self._start_steps(listing))
        scans = [pl.LazyFrame(schema=SCHEMAS[table])]
        for writer, parts in groupby(listing[table], key=_writer):
            end = ends[writer]
            scans += [
                in_present_format(_scan(files)).filter(end is None or pl.col("step") < end)
                for files in self._of_one_format(self._sound_files(table, parts))
            ]
        rows = pl.concat(scans).drop(SAMPLE)
        for condition in where:
            rows = rows.filter(condition)
        return rows.sort("step", maintain_order=True).collect()

    def _listing(self) -> dict[str, list[Part]]:
        return {table: current(list_parts(self.path / table)) for table in (METRICS, SPECTRA)}

    def _sound_files(self, table: str, parts: Iterable[Part]) -> list[Path]:
        """Files of the undamaged parts. Names stand for one content, so each is checked once."""
        files = [self.path / table / part.name for part in parts]
        for file in files:
            if file not in self._sound:
                self._sound[file] = is_sound(file)
        return [file for file in files if self._sound[file]]

    def _of_one_format(self, files: Iterable[Path]) -> Iterator[list[Path]]:
        """Neighbouring files with the same columns: a resumed run may hold parts of two formats."""
        for _, alike in groupby(files, key=self._columns_of):
            yield list(alike)

    def _columns_of(self, file: Path) -> tuple[str, ...]:
        if file not in self._columns:
            self._columns[file] = tuple(pl.scan_parquet(file, glob=False).collect_schema())
        return self._columns[file]

    def _start_steps(self, listing: Mapping[str, Sequence[Part]]) -> dict[tuple[int, int], int]:
        """Start step of every attempt that wrote anything."""
        attempts = self._attempts()  # after the parts: a part never precedes its attempt's file
        writers = {_writer(part) for parts in listing.values() for part in parts}
        return {
            writer: attempt.start_step
            if (attempt := attempts.get(writer))
            else self._first_step(writer, listing)
            for writer in writers
        }

    def _first_step(self, writer: tuple[int, int], listing: Mapping[str, Sequence[Part]]) -> int:
        """The lowest step that an attempt wrote, for one whose own file is damaged."""
        files = {
            table: self._sound_files(table, (part for part in parts if _writer(part) == writer))
            for table, parts in listing.items()
        }
        steps = [_scan(paths).select("step") for paths in files.values() if paths]
        lowest = pl.concat([pl.LazyFrame(schema={"step": pl.Int64}), *steps]).min().collect().item()
        return lowest or 0

    def _attempts(self) -> dict[tuple[int, int], Attempt | None]:
        """Every attempt by (rank, number); ``None`` where its file is damaged."""
        folder = self.path / ATTEMPTS
        return {key: load_attempt(folder / name) for key, name in attempt_names(folder).items()}

    def _damaged(self) -> tuple[str, ...]:
        parts = [
            f"{table}/{part.name}"
            for table, listed in self._listing().items()
            for part in listed
            if not self._sound_files(table, [part])
        ]
        folder = self.path / ATTEMPTS
        attempts = [
            f"{ATTEMPTS}/{name}"
            for key, name in attempt_names(folder).items()
            if not self._attempts()[key] and (folder / name).stat().st_size  # empty: just claimed
        ]
        return (*attempts, *parts)


def _scan(files: list[Path]) -> pl.LazyFrame:
    return pl.scan_parquet(files, glob=False, hive_partitioning=False)


def _among(**chosen: Names) -> list[pl.Expr]:
    """Conditions that each column holds one of the names given for it."""
    return [
        pl.col(column).is_in(
            [storable(name) for name in ([names] if isinstance(names, str) else names)]
        )
        for column, names in chosen.items()
        if names is not None
    ]


def _writer(part: Part) -> tuple[int, int]:
    return part.rank, part.attempt
