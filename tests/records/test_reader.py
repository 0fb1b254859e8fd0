"""The reader: round trips, filters, attempts, ranks and damage."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrain.core import Block, InputError, Record, Role, RunError, Source, SpectrumRecord
from spectrain.records import Run, RunWriter, open_run
from spectrain.records import reader as reader_module
from spectrain.records.schema import storable

HOSTILE = [
    "../../etc/passwd",
    "a/b\\c:d",
    "\x00",
    "",
    "<script>alert(1)</script>",
    "*?[a]{b}",
    "name with\nnewline",
    "\ud800",
    "e\u0301",
    "é",
    "x" * 5000,
    "null",
]

names = st.sampled_from(HOSTILE) | st.text(max_size=8)
integers = st.integers(-(2**63), 2**63 - 1)
numbers = st.builds(
    Record,
    step=st.integers(0, 2**63 - 1),
    block=st.none() | names,
    source=st.sampled_from(Source),
    measure=names,
    value=st.none() | st.floats(),
    error=st.none() | st.floats(),
    count=st.none() | integers,
    reason=st.none() | names,
    index=st.none() | st.integers(0, 2**31 - 1),
)
spectra = st.builds(
    SpectrumRecord,
    step=st.integers(0, 2**63 - 1),
    block=names,
    source=st.sampled_from(Source),
    values=st.lists(st.floats(width=32), max_size=4).map(lambda v: np.array(v, dtype=np.float64)),
    method=names,
    error=st.none() | st.floats(),
    count=st.none() | integers,
    reason=st.none() | names,
)

METRIC_FIELDS = ("step", "block", "source", "measure", "index", "value", "error", "count", "reason")
SPECTRUM_FIELDS = ("step", "block", "source", "values", "method", "error", "count", "reason")


def as_rows(records: list[Any], fields: tuple[str, ...]) -> list[str]:
    """Rows as the reader should give them: by step, in the order of writing; NaN equals NaN."""

    def plain(value: Any) -> Any:
        match value:
            case str():
                return storable(str(value))
            case np.ndarray():
                return value.tolist()
        return value

    ordered = sorted(records, key=lambda record: record.step)
    return [repr((*(plain(getattr(r, name)) for name in fields), 0)) for r in ordered]


def from_frame(frame: pl.DataFrame) -> list[str]:
    return [repr(row) for row in frame.iter_rows()]


def written(path: Path, steps: range, *, value: float = 0.0, **options: Any) -> Run:
    """A run of which every step has its loss."""
    writer = RunWriter(path, manifest={}, flush_rows=3, **options)
    writer.write([])
    for step in steps:
        writer.write([Record(step, None, Source.TRAINING, "loss", value)])
        writer.write_spectra([SpectrumRecord(step, "w", Source.WEIGHT, np.full(2, value), "exact")])
    writer.close({"attempt": value})
    return open_run(path)


@given(st.lists(numbers, max_size=12), st.lists(spectra, max_size=6), st.integers(1, 8))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    records: list[Record],
    vectors: list[SpectrumRecord],
    flush_rows: int,
) -> None:
    folder = tmp_path_factory.mktemp("run")
    writer = RunWriter(folder, manifest={}, flush_rows=flush_rows)
    writer.write(records)
    writer.write_spectra(vectors)
    writer.close({})
    run = open_run(folder)
    assert from_frame(run.metrics()) == as_rows(records, METRIC_FIELDS)
    assert from_frame(run.spectra()) == as_rows(vectors, SPECTRUM_FIELDS)
    assert run.metrics().columns == [*METRIC_FIELDS, "rank"]
    assert run.spectra().columns == [*SPECTRUM_FIELDS, "rank"]
    for block in {storable(r.block) for r in records if r.block is not None}:
        chosen = [r for r in records if r.block is not None and storable(r.block) == block]
        assert from_frame(run.metrics(block=block)) == as_rows(chosen, METRIC_FIELDS)
    for measure in {record.measure for record in records}:
        chosen = [r for r in records if storable(r.measure) == storable(measure)]
        assert from_frame(run.metrics(measure=measure)) == as_rows(chosen, METRIC_FIELDS)
    for source in (Source.GRADIENT, Source.WEIGHT):
        own = [spectrum for spectrum in vectors if spectrum.source == source]
        assert from_frame(run.spectra(source)) == as_rows(own, SPECTRUM_FIELDS)


def test_filters_combine_and_take_several(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, manifest={})
    writer.write(
        [
            Record(step, block, source, measure, 0.0)
            for step in range(2)
            for block in ("a", "b", None)
            for source in (Source.GRADIENT, Source.UPDATE)
            for measure in ("m", "n")
        ]
    )
    writer.close({})
    run = open_run(tmp_path)
    frame = run.metrics(source=Source.GRADIENT, measure=["m", "n"], block=("a", "b"))
    assert frame.select("step", "block", "source", "measure").rows() == [
        (step, block, "gradient", measure)
        for step in range(2)
        for block in "ab"
        for measure in "mn"
    ]
    assert run.metrics(measure=[]).is_empty()
    assert run.metrics("nothing of that name").is_empty()


def test_a_run_without_records_has_empty_frames(tmp_path: Path) -> None:
    run = written(tmp_path, range(0))
    assert run.metrics().columns == [*METRIC_FIELDS, "rank"]
    assert run.spectra().schema["values"] == pl.List(pl.Float32)
    assert run.metrics().is_empty()
    assert run.spectra().is_empty()
    assert run.history(None).is_empty()
    assert run.thinned == ()
    assert run.damaged == ()


def test_a_folder_with_any_name(tmp_path: Path) -> None:
    run = written(tmp_path / "lr=0.1 *[a]?{b} %20 é", range(5))
    assert run.metrics().height == 5
    assert open_run(str(run.path)).spectra().height == 5
    written(run.path, range(5, 6), resume=True, start_step=5, disk_budget=1)  # thins
    assert run.metrics()["step"].to_list() == [0, 5]
    assert run.metrics().columns == [*METRIC_FIELDS, "rank"]


def test_history_is_wide(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, manifest={}, flush_rows=2)
    for step in (0, 5):
        writer.write([Record(step, "w", Source.GRADIENT, "m", float(step))])
        writer.write([Record(step, "v", Source.GRADIENT, "m", 7.0)])
        writer.write([Record(step, None, Source.TRAINING, "loss", 1.0)])
    writer.write([Record(5, "w", Source.WEIGHT, "m", None, reason="zero matrix")])
    writer.write([Record(9, "w", Source.WEIGHT, "m", math.inf)])
    writer.close({})
    run = open_run(tmp_path)
    assert run.history("w").to_dict(as_series=False) == {
        "step": [0, 5, 9],
        "gradient/m": [0.0, 5.0, None],
        "weight/m": [None, None, math.inf],
    }
    assert run.history(None).to_dict(as_series=False) == {
        "step": [0, 5],
        "training/loss": [1.0, 1.0],
    }
    assert run.history(None, rank=1).is_empty()


def test_history_of_an_unknown_block_names_close_ones(tmp_path: Path) -> None:
    block = Block("layers.0.attention.q", Role.ATTENTION_Q, 0, (2, 2), "layers.0.attention.q")
    RunWriter(tmp_path, manifest={"blocks": [block]}).close({})
    run = open_run(tmp_path)
    assert run.blocks == (block,)
    assert run.history(block.name).is_empty()
    with pytest.raises(InputError, match=r"no records of a block 'layer.*such as layers\.0\.att"):
        run.history("layer.0.attention.q")


def test_frames_convert_to_pandas(tmp_path: Path) -> None:
    run = written(tmp_path, range(3), value=2.0)
    assert run.metrics().to_pandas()["value"].tolist() == [2.0] * 3
    assert run.spectra().to_pandas()["values"][0].tolist() == [2.0, 2.0]


def test_resuming_replaces_the_steps_that_it_repeats(tmp_path: Path) -> None:
    written(tmp_path, range(10), value=1.0)
    written(tmp_path, range(6, 8), value=2.0, resume=True, start_step=6)
    written(tmp_path, range(4, 9), value=3.0, resume=True, start_step=4)
    run = written(tmp_path, range(9, 11), value=4.0, resume=True, start_step=9)
    expected = [1.0] * 4 + [3.0] * 5 + [4.0] * 2
    assert run.metrics()["step"].to_list() == list(range(11))
    assert run.metrics()["value"].to_list() == expected
    assert [values[0] for values in run.spectra()["values"]] == expected
    assert run.summary == {"attempt": 4.0}
    assert [attempt.start_step for attempt in run.attempts] == [0, 6, 4, 9]


def test_an_attempt_that_wrote_nothing_replaces_nothing(tmp_path: Path) -> None:
    written(tmp_path, range(10), value=1.0)
    writer = RunWriter(tmp_path, manifest={}, resume=True, start_step=5)
    writer.write([Record(5, None, Source.TRAINING, "loss", 2.0)])
    run = open_run(tmp_path)
    assert run.metrics()["value"].to_list() == [1.0] * 10
    assert run.summary == {}
    writer.close({})
    assert run.metrics()["value"].to_list() == [1.0] * 5 + [2.0]
    assert run.spectra()["step"].to_list() == list(range(5))


def test_ranks_stay_apart_and_resume_apart(tmp_path: Path) -> None:
    written(tmp_path, range(4), value=0.0)
    written(tmp_path, range(4), value=1.0, rank=1)
    run = written(tmp_path, range(2, 3), value=10.0, rank=1, resume=True, start_step=2)
    assert run.metrics().select("step", "rank", "value").rows() == [
        (0, 0, 0.0),
        (0, 1, 1.0),
        (1, 0, 0.0),
        (1, 1, 1.0),
        (2, 0, 0.0),
        (2, 1, 10.0),
        (3, 0, 0.0),
    ]
    assert run.spectra().filter(rank=1)["step"].to_list() == [0, 1, 2]
    assert run.summary == {"attempt": 0.0}
    assert run.history(None, rank=1)["training/loss"].to_list() == [1.0, 1.0, 10.0]


def test_a_run_that_is_written_grows(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, manifest={})
    run = open_run(tmp_path)
    for step in range(3):
        assert run.metrics().height == step
        writer.write([Record(step, None, Source.TRAINING, "loss", 0.0)])
        writer.flush()
    writer.close({"done": True})
    assert run.summary == {"done": True}


@pytest.mark.parametrize("damage", ["truncated", "flipped", "emptied", "replaced"])
def test_a_damaged_part_is_named_and_the_rest_reads(tmp_path: Path, damage: str) -> None:
    run = written(tmp_path, range(30))
    sound = {table: read()["step"].to_list() for table, read in tables(run).items()}
    for table in sound:
        file = sorted((tmp_path / table).iterdir())[3]
        lost = pl.read_parquet(file)["step"].to_list()
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 4
        file.write_bytes(
            {
                "truncated": content[:-20],
                "flipped": content,
                "emptied": bytearray(),
                "replaced": bytearray(sorted((tmp_path / table).iterdir())[4].read_bytes()),
            }[damage]
        )
        run = open_run(tmp_path)
        assert f"{table}/{file.name}" in run.damaged
        assert tables(run)[table]()["step"].to_list() == [s for s in sound[table] if s not in lost]
    assert len(run.damaged) == 2


def tables(run: Run) -> dict[str, Any]:
    return {"metrics": run.metrics, "spectra": run.spectra}


def test_a_damaged_attempt_file_is_named_and_its_rows_read(tmp_path: Path) -> None:
    written(tmp_path, range(10), value=1.0)
    run = written(tmp_path, range(6, 8), value=2.0, resume=True, start_step=6)
    (tmp_path / "attempts" / run.attempts[1].name).write_bytes(b"{")
    assert run.damaged == ("attempts/rank-00000-attempt-0002.json",)
    assert run.metrics()["value"].to_list() == [1.0] * 6 + [2.0] * 2
    assert len(run.attempts) == 1


def test_an_attempt_that_is_just_being_claimed_is_not_damaged(tmp_path: Path) -> None:
    run = written(tmp_path, range(3))
    (tmp_path / "attempts" / "rank-00000-attempt-0002.json").touch()
    assert run.damaged == ()
    assert run.metrics().height == 3


def test_foreign_files_are_ignored(tmp_path: Path) -> None:
    run = written(tmp_path, range(3))
    for folder in ("metrics", "spectra", "attempts"):
        (tmp_path / folder / ".rank-00000-attempt-0001-part-000009.parquet.tmp").write_text("half")
        (tmp_path / folder / "notes.parquet").write_text("not ours")
    assert run.metrics().height == 3
    assert run.damaged == ()


def test_a_part_that_vanishes_is_looked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = written(tmp_path, range(9))
    listings = [reader_module.list_parts(tmp_path / "metrics"), reader_module.list_parts]
    victim = sorted((tmp_path / "metrics").iterdir())[1]
    lost = pl.read_parquet(victim)["step"].to_list()
    victim.unlink()

    def outdated(folder: Path) -> Any:
        if folder.name == "metrics" and len(listings) == 2:
            return listings.pop(0)
        return listings[-1](folder)

    monkeypatch.setattr(reader_module, "list_parts", outdated)
    assert run.metrics()["step"].to_list() == [step for step in range(9) if step not in lost]
    assert len(listings) == 1


def test_parts_that_keep_vanishing_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = written(tmp_path, range(9))
    parts = reader_module.list_parts(tmp_path / "metrics")
    for file in (tmp_path / "metrics").iterdir():
        file.unlink()
    monkeypatch.setattr(reader_module, "list_parts", lambda _: parts)
    with pytest.raises(RunError, match="vanish while they are read; try again"):
        run.metrics()


def test_parts_of_another_kind_are_an_error(tmp_path: Path) -> None:
    run = written(tmp_path, range(3))
    part = sorted((tmp_path / "metrics").iterdir())[0]
    spectra_part = sorted((tmp_path / "spectra").iterdir())[0]
    part.unlink()
    spectra_part.rename(part.parent / spectra_part.name)
    with pytest.raises(RunError, match=r"cannot be read: .*restore it from a copy"):
        run.metrics()


def test_what_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"not a run folder.*pass the folder that spectrain\.watch"):
        open_run(tmp_path)
