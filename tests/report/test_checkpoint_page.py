"""The page of an inspection."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from spectrain.answers import Finding, randomness
from spectrain.checkpoint import compare_checkpoints, inspect_checkpoints, open_checkpoint
from spectrain.records import Run
from spectrain.report import render_inspection
from spectrain.report.health import health_frame, read_profiles
from support.sample_checkpoints import save_safetensors

LAYERS = 7


def layers(seed: int) -> dict[str, torch.Tensor]:
    """Attention of seven layers, one of them a hundred times larger, and an embedding."""
    g = torch.Generator().manual_seed(seed)
    tensors = {"embed_tokens.weight": torch.randn(50, 20, generator=g)}
    for i in range(LAYERS):
        size = 100.0 if i == 3 else 1.0
        for part in ("q_proj", "k_proj", "v_proj", "o_proj"):
            key = f"layers.{i}.self_attn.{part}.weight"
            tensors[key] = size * torch.randn(20, 20, generator=g)
    return tensors


@pytest.fixture
def run(tmp_path: Path) -> Run:
    tensors = layers(0) | {"layers.0.mlp.up_proj.weight": torch.full((20, 20), torch.nan)}
    path = save_safetensors(tmp_path / "model.safetensors", tensors)
    return inspect_checkpoints([open_checkpoint(path)], tmp_path / "run").run


@pytest.fixture
def finding(run: Run) -> Finding[Any, Any]:
    return randomness(run, replicates=19)


def data_of(page: str) -> dict[str, Any]:
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert match
    found: dict[str, Any] = json.loads(match[1])
    return found


def test_the_page_tells_what_was_found(
    run: Run, finding: Finding[Any, Any], tmp_path: Path
) -> None:
    page = render_inspection(run, tmp_path / "p.html", findings=[finding]).read_text("utf-8")
    assert '<h1><span class="name">model.<wbr>safetensors</span></h1>' in page
    assert "safetensors, inspected" in page
    assert "matrix holds NaN or Inf" in page
    assert "Far from the others of its role" in page
    assert page.count("<tr>") == 1 + 30 + 1 + 6  # blocks and roles with their headings
    data = data_of(page)
    assert [m["key"] for m in data["measures"]] == [
        "operator_norm",
        "stable_rank",
        "effective_share",
        "bulk_fraction",
        "spikes",
        "exponent",
    ]
    lanes = {lane["role"]: lane for lane in data["profiles"]["lanes"]}
    assert "embedding" not in lanes  # it has no layer
    assert lanes["attention.q"]["places"] == list(range(LAYERS))


def test_without_findings_only_measured_columns_are_shown(run: Run, tmp_path: Path) -> None:
    page = render_inspection(run, tmp_path / "p.html").read_text("utf-8")
    assert ">random bulk</button>" not in page
    assert [m["key"] for m in data_of(page)["measures"]] == [
        "operator_norm",
        "stable_rank",
        "effective_share",
    ]


def test_a_difference_has_columns_of_its_own(tmp_path: Path) -> None:
    paths = [save_safetensors(tmp_path / f"m{i}.safetensors", layers(i)) for i in range(2)]
    before, after = map(open_checkpoint, paths)
    compared = compare_checkpoints(before, after, tmp_path / "run")
    page = render_inspection(compared.run, tmp_path / "p.html").read_text("utf-8")
    assert "the change between two checkpoints" in page
    assert "relative change, median" in page
    assert "Moved most" in page
    assert "lora_rank" in {m["key"] for m in data_of(page)["measures"]}


def test_a_series_is_drawn_step_by_step(tmp_path: Path) -> None:
    paths = [save_safetensors(tmp_path / f"step-{i}.safetensors", layers(i)) for i in (1, 2)]
    run = inspect_checkpoints(list(map(open_checkpoint, paths)), tmp_path / "run").run
    page = render_inspection(run, tmp_path / "p.html").read_text("utf-8")
    profiles = data_of(page)["profiles"]
    assert profiles["steps"] == [1, 2]
    first, second = profiles["lanes"][0]["values"]["operator_norm"]
    assert first != second
    assert "Early checkpoints are pale" in page


def test_blocks_of_one_layer_are_one_point_of_their_lane() -> None:
    import polars as pl

    frame = pl.DataFrame(
        {
            "step": 0,
            "block": ["e0", "e1", "e2", "f0"],
            "role": "expert",
            "depth": [0, 0, 0, 1],
            "stable_rank": [1.0, 2.0, 9.0, None],
        }
    )
    (lane,) = read_profiles(frame, ["stable_rank"]).lanes
    assert (lane.places, lane.names) == ([0, 1], ["e0", "f0"])
    assert lane.values == {"stable_rank": [[2.0, None]]}


def test_names_that_tell_no_layer_are_in_the_order_of_the_file(tmp_path: Path) -> None:
    tensors = {"stem.weight": torch.eye(4), "tail.weight": torch.eye(5)}
    path = save_safetensors(tmp_path / "m.safetensors", tensors)
    run = inspect_checkpoints([open_checkpoint(path)], tmp_path / "run").run
    profiles = read_profiles(health_frame(run), ["stable_rank"])
    assert not profiles.by_layer
    assert [lane.places for lane in profiles.lanes] == [[1, 2]]


def test_nothing_to_show_is_a_page_too(tmp_path: Path) -> None:
    path = save_safetensors(tmp_path / "m.safetensors", {"bias": torch.ones(3)})
    run = inspect_checkpoints([open_checkpoint(path)], tmp_path / "run").run
    page = render_inspection(run, tmp_path / "p.html").read_text("utf-8")
    assert "There are no blocks." in page
