"""SIGKILL at arbitrary moments: what is on disk reads, and nothing is lost or twice."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from records.writing_process import BLOCKS, MEASURES, WIDTH, Nursery, nursery, spectra_at
from spectrain.records import Run, RunWriter, open_run
from spectrain.records.layout import MANIFEST

ROWS = {"metrics": len(BLOCKS) * len(MEASURES), "spectra": len(BLOCKS)}


@pytest.fixture(scope="module")
def writers() -> Iterator[Nursery]:
    with nursery() as started:
        yield started


def steps_of(frame: pl.DataFrame, table: str) -> list[int]:
    """The steps of a frame, each of which must be complete and come from one attempt."""
    steps = frame.group_by("step", maintain_order=True).agg(
        pl.len(), pl.col("count").n_unique().alias("attempts"), pl.col("block").n_unique()
    )
    assert steps["len"].to_list() == [ROWS[table]] * steps.height
    assert set(steps["attempts"]) <= {1}
    assert set(steps["block"]) <= {len(BLOCKS)}
    return steps["step"].to_list()


def check_spectra(run: Run) -> None:
    frame = run.spectra().sort("step").unique("step", maintain_order=True)
    for row in frame.tail(3).iter_rows(named=True):
        expected = spectra_at(row["step"], row["count"])[0].values
        assert row["values"] == pytest.approx(expected.tolist(), rel=1e-7)  # float32: 6e-8
        assert len(row["values"]) == WIDTH


def kill_at_random(
    writers: Nursery, moment: random.Random, path: Path, **attempt: Any
) -> list[int]:
    writer = writers.start(path, **attempt)
    if moment.random() < 0.8:
        writer.wait_for_flushes(moment.randrange(1, 30))
        time.sleep(moment.uniform(0, 0.01))
    else:  # while it imports, takes the folder, or writes its first rows
        time.sleep(moment.uniform(0.0, 0.5))
    writer.kill()
    return writer.flushed


@pytest.mark.parametrize("kills", [12, pytest.param(120, marks=pytest.mark.slow)])
def test_killed_and_resumed_runs_read_as_one_prefix(
    writers: Nursery, tmp_path: Path, kills: int
) -> None:
    moment, path = random.Random(1), tmp_path / "run"
    expected: dict[int, int] = {}  # step -> the attempt that must have written it
    attempt, start = 1, 0
    for _ in range(kills):
        flushed = kill_at_random(writers, moment, path, attempt=attempt, start_step=start)
        if not (path / MANIFEST).exists():
            assert not flushed
            continue
        run = open_run(path)
        assert run.damaged == ()
        check_spectra(run)
        frame = run.metrics()
        steps = steps_of(frame, "metrics")
        assert steps == list(range(len(steps)))
        spectra = steps_of(run.spectra(), "spectra")
        assert spectra == list(range(len(spectra)))
        written = dict(frame.select("step", "count").unique().iter_rows())
        if attempt in written.values():
            expected = {step: by for step, by in expected.items() if step < start}
            assert len(steps) > max(flushed, default=0)
            expected |= dict.fromkeys(range(start, len(steps)), attempt)
        else:
            assert not flushed
        assert written == expected
        attempt = 1 + max((known.number for known in run.attempts), default=0)
        start = moment.randrange(1 + max(expected, default=0))
    assert attempt > kills // 2
    assert len(set(expected.values())) > 1


@pytest.mark.parametrize("kills", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_killed_while_thinning(writers: Nursery, tmp_path: Path, kills: int) -> None:
    moment, path = random.Random(2), tmp_path / "run"
    start = 0
    for number in range(1, 1 + kills):
        flushed = kill_at_random(
            writers, moment, path, attempt=number, start_step=start, disk_budget=60_000
        )
        if not (path / MANIFEST).exists():
            continue
        run = open_run(path)
        assert run.damaged == ()
        one_in = {"metrics": 1, "spectra": 1} | {t.table: t.one_in for t in run.thinned}
        if one_in["metrics"] != 1:
            assert run.spectra().is_empty()
        for table, frame in (("metrics", run.metrics()), ("spectra", run.spectra())):
            steps = steps_of(frame, table)
            assert steps == sorted(set(steps))
            keeps = one_in[table]
            must = set(range(start, max(flushed, default=-1) + 1, keeps)) if keeps else set()
            assert must <= set(steps)
        start = max(run.metrics()["step"], default=-1) + 1
    assert one_in["spectra"] != 1


def test_a_forked_process_that_survives_does_not_block_resuming(
    writers: Nursery, tmp_path: Path
) -> None:
    writer = writers.start(tmp_path, forks=True)
    writer.wait_for_flushes(1)
    writer.kill()
    resumed = RunWriter(tmp_path, manifest={}, resume=True, start_step=1)
    resumed.close({})
    assert [attempt.number for attempt in open_run(tmp_path).attempts] == [1, 2]


def test_reading_while_another_process_writes_and_thins(writers: Nursery, tmp_path: Path) -> None:
    writer = writers.start(tmp_path, disk_budget=80_000)
    writer.wait_for_flushes(1)
    run, thinned = open_run(tmp_path), set()
    for flushes in range(10, 250, 4):
        writer.wait_for_flushes(flushes)
        acknowledged = writer.flushed[-1]
        for table, read in (("metrics", run.metrics), ("spectra", run.spectra)):
            before = {"metrics": 1, "spectra": 1} | {t.table: t.one_in for t in run.thinned}
            steps = steps_of(read(), table)
            after = {"metrics": 1, "spectra": 1} | {t.table: t.one_in for t in run.thinned}
            assert steps == sorted(set(steps))
            thinned.add((table, after[table]))
            if after[table]:
                assert set(range(0, acknowledged + 1, after[table])) <= set(steps)
            if before == after and after[table] == 1:
                assert steps == list(range(len(steps)))
    writer.kill()
    assert run.damaged == ()
    assert len(thinned) > 3
