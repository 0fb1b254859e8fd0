"""The charts of gradient noise: what the page holds of directions."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from spectrain.answers.noise.page import CHARTS, newton_schulz_curve, read_noise
from spectrain.noise import additive, directional_records, held_noise
from spectrain.records import Run, RunWriter, open_run
from spectrain.report import render
from support.synthetic_run import gpt_blocks


def run_with_directions(path: Path, name: str) -> Run:
    blocks = gpt_blocks(1)[:3]
    generator = torch.Generator().manual_seed(0)
    signal = torch.zeros(64, 64)
    signal[range(8), range(8)] = torch.tensor([90.0, 70, 52, 40, 30, 22, 17, 12])
    held = held_noise(list(additive(signal, replicas=6, generator=generator)))
    assert held.directional is not None
    writer = RunWriter(path, manifest={"config": {}, "blocks": [b.to_dict() for b in blocks]})
    for step in (3, 9):
        writer.write(held.scalar_records(step, name))
        writer.write(directional_records(step, name, held.directional))
    writer.close({"finished": True})
    return open_run(path)


def test_the_last_directions_of_a_block(tmp_path: Path) -> None:
    name = "layers.0.attn.query.weight"
    run = run_with_directions(tmp_path / "run", name)
    (entry,) = read_noise(run, run.blocks)
    assert (entry["block"], entry["step"], entry["replicas"]) == (name, 9, 6)
    assert entry["shape"] == [64, 64]
    lengths = {len(entry[column]) for column in ("sigma", "echo", "left", "right", "isotropic")}
    assert lengths == {8}
    assert entry["sigma"][0] > entry["sigma"][-1] > 0
    assert entry["norm"] > entry["sigma"][0]
    json.dumps(entry, allow_nan=False)


def test_the_page_has_a_place_for_every_chart(tmp_path: Path) -> None:
    run = run_with_directions(tmp_path / "run", "layers.0.attn.query.weight")
    page = render(run, tmp_path / "page.html").read_text("utf-8")
    assert all(f'id="noise-{name}"' in page for name, _, _ in CHARTS)


def test_a_page_without_replicas_has_no_such_section(tmp_path: Path) -> None:
    run = run_with_directions(tmp_path / "run", "of no block")
    page = render(run, tmp_path / "page.html").read_text("utf-8")
    assert 'id="noise"' not in page


def test_the_curve_is_that_of_five_quintic_steps() -> None:
    curve = newton_schulz_curve(50)
    assert curve["x"][0] == 0.001
    assert 0.01 < curve["y"][0] < 0.6
    assert all(0.6 < y < 1.25 for x, y in zip(curve["x"], curve["y"], strict=True) if x > 0.01)
