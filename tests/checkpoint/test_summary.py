from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
import torch

from spectrain.checkpoint import inspect_checkpoints, open_checkpoint
from spectrain.checkpoint.odd import odd_blocks
from spectrain.checkpoint.rules import Rule
from spectrain.checkpoint.series import find_series, open_series
from spectrain.checkpoint.summary import blocks_frame, groups_frame, weightwatcher_frame
from spectrain.checkpoint.weightwatcher import weightwatcher_records
from spectrain.core import InputError
from spectrain.matrix import MEASURES
from spectrain.records import Run
from support.sample_checkpoints import save_safetensors


@pytest.fixture
def run(tmp_path: Path, generator: torch.Generator) -> Run:
    tensors = {
        f"layers.{i}.mlp.{name}.weight": torch.randn(30, 24, generator=generator)
        for i in range(8)
        for name in ("up_proj", "down_proj")
    }
    tensors["layers.3.mlp.up_proj.weight"] *= 40
    checkpoint = open_checkpoint(save_safetensors(tmp_path / "m.safetensors", tensors))
    return inspect_checkpoints([checkpoint], tmp_path / "run", extra=weightwatcher_records).run


def test_a_row_a_block(run: Run) -> None:
    frame = blocks_frame(run)
    assert frame.height == 16
    assert frame["block"].to_list() == [block.name for block in run.blocks]
    row = frame.row(0, named=True)
    assert (row["dtype"], row["method"], row["threads"]) == ("float32", "gram/float64", 1)
    assert set(MEASURES) < set(row)
    assert not any(name.startswith("weightwatcher") for name in frame.columns)


def test_groups_are_medians(run: Run) -> None:
    frame = blocks_frame(run)
    roles = groups_frame(frame, "role")
    assert roles["blocks"].sum() == 16
    role = roles.row(0, named=True)
    own = frame.filter(pl.col("role") == role["role"])
    assert role["stable_rank"] == own["stable_rank"].median()
    assert role["entries"] == (own["rows"] * own["columns"]).sum()
    assert groups_frame(frame, "depth")["depth"].to_list() == list(range(8))


def test_weightwatcher_columns_have_their_names(run: Run) -> None:
    frame = weightwatcher_frame(run)
    assert frame.height == 16
    assert {
        "alpha",
        "D",
        "xmin",
        "log_norm",
        "mp_softrank",
        "num_spikes",
        "rand_num_spikes",
        "entropy",
        "stable_rank",
        "status",
        "warning",
    } <= set(frame.columns)
    assert set(frame["status"]) == {"success"}


def test_the_odd_block_is_named(run: Run) -> None:
    (row,) = odd_blocks(blocks_frame(run)).filter(measure="operator_norm").to_dicts()
    assert row["block"] == "layers.3.mlp.up_proj.weight"
    assert row["value"] / row["typical"] == pytest.approx(40, rel=0.3)


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("operator_norm>100", 1),
        ("operator_norm >= 1e-3", 16),
        ("stable_rank<1.5", 0),
        ("nuclear_rank<=.5", 0),
    ],
)
def test_rules(run: Run, text: str, broken: int) -> None:
    rule = Rule.parse(text, dict.fromkeys(MEASURES, ""))
    assert rule.broken_by(run.metrics()).height == broken
    assert rule.undecided_by(run.metrics()).height == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "stable_rank",
        "stable_rank<",
        "<1",
        "stable_rank<x",
        "x<1",
        "stable_rank<1; import os",
        "__import__('os')<1",
        "stable_rank<1<2",
        "stable_rank=1",
        "stable_rank<nan",
    ],
)
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="rule"):
        Rule.parse(text, dict.fromkeys(MEASURES, ""))


def test_a_rule_without_values_is_undecided() -> None:
    schema = {"measure": pl.String, "value": pl.Float64, "error": pl.Float64}
    frame = pl.DataFrame([("a", 1.0, None), ("a", None, None)], schema=schema, orient="row")
    rule = Rule("a", ">", 2.0)
    assert (rule.broken_by(frame).height, rule.undecided_by(frame).height) == (0, 1)


def test_a_folder_of_steps_is_a_series(tmp_path: Path) -> None:
    assert find_series(tmp_path / "absent") == find_series(tmp_path) == {}
    for step in (100, 20):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        save_safetensors(folder / "model.safetensors")
    assert list(find_series(tmp_path)) == [20, 100]
    opened = open_series(tmp_path, find_series(tmp_path))
    assert [(checkpoint.step, checkpoint.notes) for checkpoint in opened] == [(20, ()), (100, ())]
    save_safetensors(tmp_path / "model.safetensors")
    (note,) = open_series(tmp_path, find_series(tmp_path))[-1].notes
    assert note == "not in the series, their names tell no step: model.safetensors"
    save_safetensors(tmp_path / "checkpoint-100.safetensors")
    with pytest.raises(InputError, match="several checkpoints of one step"):
        find_series(tmp_path)


def test_shards_are_no_series(tmp_path: Path) -> None:
    for name in ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"):
        save_safetensors(tmp_path / name)
    assert find_series(tmp_path) == {}


def test_parts_of_tensor_parallelism_are_no_series(tmp_path: Path) -> None:
    for name in ("consolidated.00.pth", "consolidated.01.pth"):
        (tmp_path / name).touch()
    assert find_series(tmp_path) == {}


def test_trailing_numbers_are_steps_where_nothing_else_tells(tmp_path: Path) -> None:
    for name in ("gpt-0010.pt", "gpt-0200.pt"):
        (tmp_path / name).touch()
    assert list(find_series(tmp_path)) == [10, 200]
