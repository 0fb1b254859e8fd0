"""Thinning, interrupted at every operation on files that it makes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from spectrain.core import Record, Source
from spectrain.records import table as table_module
from spectrain.records.attempt import Attempt
from spectrain.records.layout import current, is_sound, list_parts
from spectrain.records.schema import metrics_frame
from spectrain.records.table import Table
from spectrain.records.thinning import NOTHING

FIRST, SECOND = (Attempt(0, number, start, "now") for number, start in ((1, 0), (2, 50)))


def rows(start: int, stop: int) -> pl.DataFrame:
    """One series, recorded at every step."""
    steps = range(start, stop)
    records = [Record(step, "w", Source.WEIGHT, "m", float(step)) for step in steps]
    return metrics_frame(records, samples=steps, rank=0)


def written(folder: Path, attempt: Attempt = FIRST, *, parts: int = 7) -> Table:
    """A table of that many parts, ten steps each."""
    table = Table(folder, attempt, may_vanish=True)
    for part in range(parts):
        table.add(rows(10 * part, 10 * part + 10))
        table.flush()
    return table


def steps_on_disk(folder: Path) -> list[int]:
    """What a reader finds."""
    files = [folder / part.name for part in current(list_parts(folder))]
    assert all(is_sound(file) for file in files)
    return pl.concat([rows(0, 0), *map(pl.read_parquet, files)])["step"].to_list()


class Killed(BaseException):
    """Nothing that runs after a kill can catch it, but the tests can."""


@pytest.fixture
def kill_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Let only so many operations on files happen, and nothing after them."""
    left = [0]

    def limited(operation: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: object, **kwargs: Any) -> Any:
            if not left[0]:
                raise Killed
            left[0] -= 1
            return operation(*args, **kwargs)

        return run

    def arm(operations: int) -> None:
        left[0] = operations
        monkeypatch.setattr(os, "replace", limited(os.replace))
        monkeypatch.setattr(Path, "unlink", limited(Path.unlink))
        monkeypatch.setattr(os, "fsync", limited(os.fsync))

    yield arm
    monkeypatch.undo()


@pytest.mark.parametrize("level", [1, NOTHING])
@pytest.mark.parametrize("operations", range(15))
def test_a_kill_while_thinning_neither_loses_nor_doubles(
    tmp_path: Path,
    kill_before: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
    operations: int,
    level: int,
) -> None:
    table = written(tmp_path)
    before, after = set(range(70)), set(range(0, 70, 2)) if level == 1 else set()
    size = max(file.stat().st_size for file in tmp_path.iterdir())
    with monkeypatch.context() as patch, suppress(Killed):
        patch.setattr(table_module, "_MERGE_BYTES", 3 * size)
        kill_before(operations)
        table.thin_to(level)
    monkeypatch.undo()
    steps = steps_on_disk(tmp_path)
    assert steps == sorted(set(steps))
    assert after <= set(steps) <= before
    if operations >= 13:  # three merged parts, written and put in place, and seven deletions
        assert set(steps) == after

    resumed = Table(tmp_path, SECOND, may_vanish=True)
    parts = list_parts(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {part.name for part in parts}
    assert resumed.size == sum(file.stat().st_size for file in tmp_path.iterdir())
    assert len(current(parts)) == len(parts)
    steps = steps_on_disk(tmp_path)
    assert steps == sorted(set(steps))
    assert set(steps) in (before, after)


def test_a_refused_write_while_thinning_is_made_good_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = written(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(table_module, "_MERGE_BYTES", 1)
        accepted = iter([table_module.write_whole] * 3)

        def disk_fills(path: Path, content: bytes, *, durable: bool) -> None:
            if (write := next(accepted, None)) is None:
                raise OSError("no space")
            write(path, content, durable=durable)

        patch.setattr(table_module, "write_whole", disk_fills)
        with pytest.raises(OSError, match="no space"):
            table.thin_to(1)
    assert steps_on_disk(tmp_path) == [*range(0, 30, 2), *range(30, 70)]
    table.add(rows(70, 80))
    table.flush()
    table.thin_to(2)
    assert steps_on_disk(tmp_path) == list(range(0, 80, 4))
    assert len(list_parts(tmp_path)) == 1


def test_the_disk_has_what_older_parts_are_given_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, done = written(tmp_path, parts=2), []

    def noted(name: str, operation: Callable[..., Any]) -> Callable[..., Any]:
        def noting(*args: Any) -> Any:
            done.append(name)
            return operation(*args)

        return noting

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", noted("fsync", os.fsync))
        patch.setattr(os, "replace", noted("replace", os.replace))
        patch.setattr(Path, "unlink", noted("unlink", Path.unlink))
        table.thin_to(1)
    assert done == ["fsync", "replace", "unlink", "unlink"]


def test_later_rows_are_thinned_before_they_are_written(tmp_path: Path) -> None:
    table = written(tmp_path)
    table.thin_to(2)
    table.add(rows(70, 80))
    table.flush()
    assert steps_on_disk(tmp_path) == list(range(0, 80, 4))
    again = Table(tmp_path, SECOND, may_vanish=True)
    again.add(rows(50, 60))
    again.flush()
    assert steps_on_disk(tmp_path) == [*range(0, 80, 4), 52, 56]


def test_levels_go_down_to_the_first_sample_and_then_to_nothing(tmp_path: Path) -> None:
    for may_vanish, end in ((True, []), (False, [0])):
        folder = tmp_path / str(may_vanish)
        written(folder, parts=2)
        table = Table(folder, SECOND, may_vanish=may_vanish)
        levels = []
        while (level := table.next_level()) is not None:
            levels.append(level)
            table.thin_to(level)
        assert levels == [1, 2, 3, 4, 5, *([NOTHING] if may_vanish else [])]
        assert steps_on_disk(folder) == end


def test_an_empty_table_cannot_be_thinned(tmp_path: Path) -> None:
    assert Table(tmp_path, FIRST, may_vanish=True).next_level() is None


def test_a_damaged_part_stays_and_stops_no_thinning(tmp_path: Path) -> None:
    table = written(tmp_path)
    damaged = tmp_path / current(list_parts(tmp_path))[3].name
    damaged.write_bytes(b"rubbish")
    table.thin_to(1)
    assert damaged.read_bytes() == b"rubbish"
    files = [tmp_path / part.name for part in current(list_parts(tmp_path))]
    assert [is_sound(file) for file in files] == [True, False, True]
    sound = pl.concat([pl.read_parquet(files[0]), pl.read_parquet(files[2])])
    assert sound["step"].to_list() == [*range(0, 30, 2), *range(40, 70, 2)]


@pytest.mark.parametrize("arrived", [False, True])
def test_an_interrupted_flush_is_written_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arrived: bool
) -> None:
    table = written(tmp_path, parts=1)
    replace = os.replace
    with monkeypatch.context() as patch:

        def interrupted(*args: Path) -> None:
            if arrived:
                replace(*args)
            raise KeyboardInterrupt

        patch.setattr(os, "replace", interrupted)
        table.add(rows(10, 20))
        with pytest.raises(KeyboardInterrupt):
            table.flush()
    table.add(rows(20, 30))
    table.flush()
    assert steps_on_disk(tmp_path) == list(range(30))
    assert table.size == sum(file.stat().st_size for file in tmp_path.iterdir())
