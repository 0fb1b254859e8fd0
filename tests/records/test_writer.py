"""The writer: attempts, flushes, full disks and the disk budget."""

from __future__ import annotations

import gc
import json
import resource
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spectrain.core import InputError, Record, RunError, Sink, Source, SpectrumRecord
from spectrain.records import RunWriter, Thinned, open_run
from spectrain.records import table as table_module


def loss(step: int, value: float = 0.0) -> Record:
    return Record(step, None, Source.TRAINING, "loss", value)


def spectrum(step: int, width: int = 200, block: str = "w") -> SpectrumRecord:
    values = np.random.default_rng(step).random(width)
    return SpectrumRecord(step, block, Source.WEIGHT, values, "exact")


def parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*.parquet"))


def bytes_of(folder: Path) -> int:
    return sum(part.stat().st_size for part in parts(folder))


@contextmanager
def full_disk(limit: int = 100) -> Iterator[None]:
    """No file may grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_it_is_a_sink(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, manifest={})
    assert isinstance(writer, Sink)
    writer.close({})


def test_the_folder_is_laid_out_as_documented(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "a" / "run", manifest={})
    writer.write([loss(0)])
    writer.write_spectra([spectrum(0, block="../../etc/passwd")])
    writer.close({"overhead": 0.01})
    names = sorted(str(f.relative_to(tmp_path)) for f in tmp_path.rglob("*") if f.is_file())
    assert [name.partition("-crc-")[0] for name in names] == [
        "a/run/attempts/rank-00000-attempt-0001.json",
        "a/run/attempts/rank-00000.lock",
        "a/run/manifest.json",
        "a/run/metrics/rank-00000-attempt-0001-part-000000",
        "a/run/spectra/rank-00000-attempt-0001-part-000000",
    ]
    attempt = json.loads((tmp_path / names[0]).read_text())
    assert attempt["summary"] == {"overhead": 0.01}
    assert attempt["finished_at"] >= attempt["started_at"]


def test_rows_are_written_when_enough_have_come(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, manifest={}, flush_rows=10)
    for step in range(9):
        writer.write([loss(step)])
    assert not parts(tmp_path)
    writer.write_spectra([spectrum(9)])
    assert len(parts(tmp_path)) == 2
    writer.write([loss(9)])
    assert len(parts(tmp_path)) == 2
    writer.flush()
    assert len(parts(tmp_path)) == 3
    writer.close({})
    assert len(parts(tmp_path)) == 3


def test_wide_spectra_are_written_earlier(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, manifest={})
    for step in range(3):
        writer.write_spectra([spectrum(step, width=1 << 19)])
    assert len(parts(tmp_path)) == 1
    writer.close({})
    assert len(parts(tmp_path)) == 2


def test_spectra_are_copied(tmp_path: Path) -> None:
    values = np.ones(3, dtype=np.float32)
    writer = RunWriter(tmp_path, manifest={})
    writer.write_spectra([SpectrumRecord(0, "w", Source.WEIGHT, values, "exact")])
    values[:] = 7
    writer.close({})
    assert open_run(tmp_path).spectra()["values"].to_list() == [[1, 1, 1]]


def test_beyond_float32_is_infinite_without_a_warning(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, manifest={})
    values = np.array([1e300, 1.0])
    writer.write_spectra([SpectrumRecord(0, "w", Source.WEIGHT, values, "exact")])
    writer.close({})
    assert open_run(tmp_path).spectra()["values"].to_list() == [[np.inf, 1.0]]


def test_a_fresh_writer_leaves_a_run_alone(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, manifest={"config": {"lr": 1}})
    writer.write([loss(0)])
    writer.close({})
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    with pytest.raises(InputError, match=r"already holds a run; .*resume=True and the start_step"):
        RunWriter(tmp_path, manifest={"config": {"lr": 2}})
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before


def test_a_fresh_writer_leaves_other_folders_alone(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"name": "a browser extension"}')
    with pytest.raises(InputError, match="already holds a run"):
        RunWriter(tmp_path, manifest={})
    with pytest.raises(RunError, match="not the manifest of a run"):
        RunWriter(tmp_path, manifest={}, resume=True)
    assert [entry.name for entry in tmp_path.iterdir()] == ["manifest.json"]


def test_a_newer_run_is_not_resumed(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"schema_version": 3}')
    with pytest.raises(RunError, match="update spectrain"):
        RunWriter(tmp_path, manifest={}, resume=True)


def test_a_rank_has_one_living_writer(tmp_path: Path) -> None:
    first = RunWriter(tmp_path, manifest={})
    with pytest.raises(RunError, match="another writer is at work on rank 0"):
        RunWriter(tmp_path, manifest={}, resume=True)
    other = RunWriter(tmp_path, manifest={}, rank=1)
    other.close({})
    first.close({})
    RunWriter(tmp_path, manifest={}, resume=True).close({})


def test_a_writer_that_fails_to_start_gives_the_rank_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with full_disk(), pytest.raises(RunError, match="cannot write the run folder"):
        RunWriter(tmp_path, manifest={"notes": "x" * 1000})
    RunWriter(tmp_path, manifest={}).close({})


def test_a_resumed_run_keeps_its_birthday(tmp_path: Path) -> None:
    RunWriter(tmp_path, manifest={"config": {"steps": 10}}).close({})
    file = tmp_path / "manifest.json"
    manifest = json.loads(file.read_text())
    file.write_text(json.dumps({**manifest, "created_at": "long ago"}))
    RunWriter(tmp_path, manifest={"config": {"steps": 20}}, resume=True, start_step=10).close({})
    run = open_run(tmp_path)
    assert run.manifest["created_at"] == "long ago"
    assert run.manifest["config"] == {"steps": 20}


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(RunError, match=f"cannot write the run folder .*{path.name}: "):
            RunWriter(path, manifest={})


@pytest.mark.parametrize("wrong", ["rank", "start_step", "disk_budget", "flush_rows"])
def test_arguments_out_of_range_are_named(tmp_path: Path, wrong: str) -> None:
    option: dict[str, Any] = {wrong: -1}
    with pytest.raises(InputError, match=f"{wrong} is -1; pass at least"):
        RunWriter(tmp_path / "run", manifest={}, **option)
    assert not (tmp_path / "run").exists()


def test_a_full_disk_costs_no_record(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, manifest={}, flush_rows=4)
    writer.write([loss(0), loss(1)])
    writer.flush()
    with full_disk():
        writer.write([loss(2)])
        writer.write_spectra([spectrum(2)])
        with pytest.raises(RunError, match=r"cannot write.*File too large.*records are kept"):
            writer.write([loss(3), loss(4)])
        writer.write([loss(5)])  # tries again only when flush_rows more have come
        with pytest.raises(RunError, match="free disk space"):
            writer.close({})
    assert len(parts(tmp_path)) == 1
    assert not list(tmp_path.glob("*/.*"))
    writer.write([loss(6)])
    writer.close({})
    run = open_run(tmp_path)
    assert run.metrics()["step"].to_list() == list(range(7))
    assert run.spectra()["step"].to_list() == [2]
    assert run.damaged == ()


def test_where_space_is_short_numbers_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = RunWriter(tmp_path, manifest={})
    writer.write([loss(0)])
    writer.write_spectra([spectrum(0, width=5_000)])
    with full_disk(limit=10_000), pytest.raises(RunError, match="records are kept"):
        writer.flush()
    run = open_run(tmp_path)
    assert run.metrics().height == 1
    assert run.spectra().is_empty()
    writer.close({})
    assert run.metrics().height == run.spectra().height == 1


def test_a_bad_record_does_not_keep_later_ones_from_the_disk(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, manifest={})
    bad = loss(0)
    object.__setattr__(bad, "value", "high")
    writer.write([bad])
    with pytest.raises(InputError, match="record's value does not fit"):
        writer.flush()
    writer.write([loss(1)])
    writer.close({})
    assert open_run(tmp_path).metrics()["step"].to_list() == [1]


def test_misuse_is_refused_at_once(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, manifest={}, start_step=5)
    with pytest.raises(InputError, match="step 4 lies before this writer's start_step 5"):
        writer.write([loss(5), loss(4)])
    with pytest.raises(InputError, match=r"spectrum of 'w' has shape \(1, 3\)"):
        writer.write_spectra(
            [SpectrumRecord(5, "w", Source.WEIGHT, np.ones((1, 3)), "exact")],
        )
    writer.close({})
    writer.close({})
    with pytest.raises(RunError, match="closed; open a new one"):
        writer.write([])
    assert open_run(tmp_path).metrics().is_empty()


def test_spectra_are_thinned_before_any_number(tmp_path: Path) -> None:
    budget = 100_000
    writer = RunWriter(tmp_path, manifest={}, disk_budget=budget, flush_rows=10**6)
    run, strides = open_run(tmp_path), []
    for step in range(1200):
        writer.write([loss(step), Record(step, "w", Source.WEIGHT, "m", np.pi * step)])
        writer.write_spectra([spectrum(step)])
        if step % 20 == 19:
            writer.flush()
            assert bytes_of(tmp_path) <= budget
            one_in = {thinned.table: thinned.one_in for thinned in run.thinned}
            strides.append((one_in.get("spectra", 1), one_in.get("metrics", 1)))
            spectra, metrics = strides[-1]
            kept = range(0, step + 1, spectra) if spectra else []
            assert run.spectra()["step"].to_list() == list(kept)
            for measure in ("loss", "m"):
                rows = run.metrics(measure=measure)
                assert rows["step"].to_list() == list(range(0, step + 1, metrics))
            assert spectra == 0 or metrics == 1
    assert {(1, 1), (2, 1), (4, 1), (8, 1)} <= set(strides)
    assert strides == sorted(strides, key=lambda pair: (pair[0] or np.inf, pair[1]))
    writer.close({})


def test_numbers_are_thinned_when_no_spectrum_is_left(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, manifest={}, disk_budget=20_000, flush_rows=10**6)
    run = open_run(tmp_path)
    noise = np.random.default_rng(0).random((4000, 2))
    for step in range(4000):
        writer.write([loss(step, float(noise[step, 0]))])
        if step % 10 == 0:  # another schedule
            writer.write([Record(step, "w", Source.WEIGHT, "m", float(noise[step, 1]))])
        if step < 100:
            writer.write_spectra([spectrum(step)])
        if step % 50 == 49:
            writer.flush()
            assert bytes_of(tmp_path) <= 20_000
    writer.write_spectra([spectrum(4000)])
    writer.close({})
    one_in = {thinned.table: thinned.one_in for thinned in run.thinned}
    assert one_in["spectra"] == 0
    assert one_in["metrics"] > 1
    assert run.spectra().is_empty()
    steps = run.metrics(measure="loss")["step"].to_list()
    assert steps == list(range(0, 4000, one_in["metrics"]))
    steps = run.metrics(measure="m")["step"].to_list()
    assert steps == list(range(0, 4000, 10 * one_in["metrics"]))


def test_a_kill_leaves_no_thinning_unsaid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    writer = RunWriter(tmp_path, manifest={}, disk_budget=1_000)
    writer.write_spectra([spectrum(step) for step in range(10)])
    with monkeypatch.context() as patch:
        patch.setattr(table_module.Table, "thin_to", killed)
        with pytest.raises(Killed):
            writer.flush()
    assert open_run(tmp_path).thinned == (Thinned(0, "spectra", 2),)
    writer.close({})


def test_a_dropped_writer_gives_the_rank_back(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, manifest={})
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        del writer
        gc.collect()
    RunWriter(tmp_path, manifest={}, resume=True).close({})


def test_a_hopeless_budget_keeps_the_first_sample_of_each_series(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, manifest={}, disk_budget=1)
    for step in range(40):
        writer.write([loss(step), Record(step, "w", Source.WEIGHT, "m", 0.5)])
        writer.write_spectra([spectrum(step)])
        writer.flush()
    writer.close({})
    run = open_run(tmp_path)
    assert run.spectra().is_empty()
    assert set(run.metrics().filter(step=0)["measure"]) == {"loss", "m"}
    assert run.metrics().height < 10


def test_a_resumed_writer_goes_on_thinning(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, manifest={}, disk_budget=50_000)
    for step in range(100):
        writer.write_spectra([spectrum(step)])
    writer.close({})
    run = open_run(tmp_path)
    assert run.thinned == (Thinned(0, "spectra", 2),)
    writer = RunWriter(tmp_path, manifest={}, resume=True, start_step=100, disk_budget=50_000)
    assert run.thinned == (Thinned(0, "spectra", 2),)
    for step in range(100, 200):
        writer.write_spectra([spectrum(step)])
    writer.close({})
    assert run.thinned == (Thinned(0, "spectra", 4),)
    assert run.spectra()["step"].to_list() == list(range(0, 200, 4))
    assert bytes_of(tmp_path) <= 50_000
