"""Runs of older formats and versions read like new ones: stored ones, and one resumed since."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pytest

from spectrain.answers import QUESTIONS, diagnose
from spectrain.core import Record, Source
from spectrain.records import SCHEMA_VERSION, Run, RunWriter, open_run
from spectrain.records.schema import SAMPLE, SCHEMAS

FORMAT_1 = Path(__file__).parent / "format_1"
FORMAT_2 = Path(__file__).parent / "format_2"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return shutil.copytree(FORMAT_1, tmp_path / "run")


def raw_rows() -> pl.DataFrame:
    """What the stored run holds, as it was written."""
    return pl.read_parquet(list((FORMAT_1 / "metrics").glob("*.parquet")))


def directions(run: Run, measure: str) -> Mapping[tuple[int, int], float | None]:
    rows = run.metrics(source="noise", measure=measure, block="0.weight")
    return {(step, i): v for step, i, v in rows.select("step", "index", "value").iter_rows()}


def test_the_stored_run_is_of_format_1() -> None:
    assert json.loads((FORMAT_1 / "manifest.json").read_text())["schema_version"] == 1
    assert "index" not in raw_rows().columns


def test_columns_are_those_of_the_present_format(old: Path) -> None:
    frame = open_run(old).metrics()
    assert frame.columns == [name for name in SCHEMAS["metrics"] if name != SAMPLE]


@pytest.mark.parametrize("measure", ["echo", "sigma", "overlap_left", "echo_isotropic"])
def test_numbers_in_names_become_indices(old: Path, measure: str) -> None:
    raw = raw_rows().filter(pl.col("measure").str.contains(rf"^{measure}_\d+$"))
    expected = {
        (step, int(name.rpartition("_")[2])): value
        for step, name, value in raw.select("step", "measure", "value").iter_rows()
    }
    assert directions(open_run(old), measure) == expected
    assert expected


def test_no_measure_ends_in_a_number_any_more(old: Path) -> None:
    names = open_run(old).metrics(source="noise")["measure"].unique()
    assert not [name for name in names if name[-1].isdigit()]


def test_a_verdict_in_a_reason_becomes_a_number(old: Path) -> None:
    rows = open_run(old).metrics(measure="noise_model")
    assert rows["value"].to_list() == [0.0, 0.0]
    assert rows["step"].to_list() == [0, 1]


def test_a_noise_scale_in_replicas_is_no_noise_scale_in_examples(old: Path) -> None:
    assert raw_rows().filter(pl.col("measure") == "noise_scale")["value"].null_count() == 0
    assert open_run(old).metrics(measure="noise_scale")["value"].null_count() == 4


def test_all_else_is_as_it_was(old: Path) -> None:
    kept = ["step", "block", "measure", "value", "error", "count", "reason", "rank"]
    same = pl.col("source") == "gradient"
    assert (
        open_run(old)
        .metrics(source="gradient")
        .select(kept)
        .equals(raw_rows().filter(same).select(kept))
    )


def test_a_resumed_run_may_hold_both_formats(old: Path) -> None:
    before = directions(open_run(old), "sigma")
    writer = RunWriter(old, manifest={}, start_step=2, resume=True)
    writer.write([Record(2, "0.weight", Source.NOISE, "sigma", 1.5, index=3)])
    writer.close({})
    run = open_run(old)
    assert run.manifest["schema_version"] == SCHEMA_VERSION
    assert directions(run, "sigma") == before | {(2, 3): 1.5}


def test_thinning_keeps_old_rows_in_the_present_format(old: Path) -> None:
    writer = RunWriter(old, manifest={}, start_step=2, resume=True, disk_budget=1)
    writer.write([Record(2, "0.weight", Source.NOISE, "sigma", 1.5, index=3)])
    writer.close({})
    kept = directions(open_run(old), "sigma")
    assert {step for step, _ in kept} == {0, 2}
    assert open_run(old).metrics(measure="noise_model")["value"].to_list() == [0.0]


def test_series_with_an_index_have_a_column_each(old: Path) -> None:
    frame = open_run(old).history("0.weight")
    assert "noise/sigma/2" in frame.columns
    assert frame["noise/sigma/2"].to_list() == [
        value for (_, index), value in directions(open_run(old), "sigma").items() if index == 2
    ]


def test_the_stored_run_of_0_1_reads_as_it_was_written(tmp_path: Path) -> None:
    path = shutil.copytree(FORMAT_2, tmp_path / "run")
    written = json.loads((FORMAT_2 / "manifest.json").read_text())
    assert (written["schema_version"], written["versions"]["spectrain"]) == (2, "0.1.0")
    run = open_run(path)
    rows = pl.read_parquet(list((FORMAT_2 / "metrics").glob("*.parquet")))
    kept = ["step", "block", "source", "measure", "index", "value", "error", "count", "reason"]
    assert run.metrics().select(kept).equals(rows.select(kept))
    assert run.spectra().height == 32
    assert [block.name for block in run.blocks] == ["0.weight", "2.weight"]
    assert run.summary["finished"]


def test_a_run_of_0_1_is_answered(tmp_path: Path) -> None:
    run = open_run(shutil.copytree(FORMAT_2, tmp_path / "run"))
    assert [found.name for found in diagnose(run)] == list(QUESTIONS)
