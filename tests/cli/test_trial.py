"""``spectrain trial``: a factory's trial, as table, JSON and YAML; what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from spectrain.cli.main import main

FACTORY = """
import torch
from torch import nn
from torch import nn

def make():
    torch.manual_seed(0)
    draw = torch.Generator().manual_seed(1)
    data = [torch.randn(8, 6, generator=draw) for _ in range(30)]
    return {
        "model": nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 6)),
        "loss_fn": lambda model, x: (model(x) - x.flip(1)).square().mean(),
        "batches": data[1:],
        "held_out": data[:1],
        "changes": lambda base: [__import__("spectrain.trials").trials.to_adamw(base, "0.weight")],
    }

def nothing():
    return None
"""


@pytest.fixture
def factory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "tried_by_test.py").write_text(FACTORY)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "tried_by_test"


def test_table_json_and_plan(factory: str, tmp_path: Path, capsys: Any) -> None:
    plan = tmp_path / "setup.yaml"
    kept = ["--folder", str(tmp_path / "kept")]
    assert main(["trial", f"{factory}:make", "--steps", "1200", "--plan", str(plan), *kept]) == 0
    shown = capsys.readouterr().out
    assert "0.weight to AdamW" in shown
    assert "forward and backward passes" in shown
    written = yaml.safe_load(plan.read_text())
    assert written["spectrain_setup"] == 1
    assert main(["trial", f"{factory}:make", "--steps", "1200", "--json", *kept]) == 0
    assert json.loads(capsys.readouterr().out) == written


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:make", "there is no 'no_such_module:make'"),
        ("tried_by_test:missing", "there is no 'tried_by_test:missing'"),
        ("tried_by_test:nothing", "returns no dict with model"),
        (":", "name an importable function"),
    ],
)
def test_refused(factory: str, name: str, message: str, capsys: Any) -> None:
    assert main(["trial", name, "--steps", "1200"]) == 2
    assert message in capsys.readouterr().err
