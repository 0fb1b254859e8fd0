"""Where samples are too few, the answer names what would suffice, and that does suffice."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

import spectrain
from spectrain.answers import QUESTIONS, diagnose
from spectrain.answers.finding import Sign
from spectrain.answers.sufficient import Need, sufficient
from spectrain.core import Source
from spectrain.records import Run

STEPS = 64


def watched(folder: Path, steps: int = STEPS, **settings: Any) -> Run:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4))
    optimizer = torch.optim.AdamW(model.parameters())
    with spectrain.watch(model, optimizer, folder, **settings):
        for _ in range(steps):
            optimizer.zero_grad()
            model(torch.randn(32, 8)).square().mean().backward()
            optimizer.step()
    return spectrain.open_run(folder)


@pytest.mark.parametrize("name", [q.name for q in QUESTIONS.values() if q.needs is not None])
def test_what_is_said_to_suffice_does(name: str, tmp_path: Path) -> None:
    run = watched(tmp_path / "few", dense=0, every=30)
    (found,) = diagnose(run, questions=[name])
    assert found.sign is Sign.NOT_ENOUGH_DATA
    told = re.search(r"about ([\d,]+) steps more, or watch with every=(\d+)", found.action)
    assert told is not None, found.action
    more, every = int(told[1].replace(",", "")), int(told[2])
    (denser,) = diagnose(watched(tmp_path / "every", dense=0, every=every), questions=[name])
    assert denser.sign is not Sign.NOT_ENOUGH_DATA
    longer = watched(tmp_path / "longer", STEPS + more, dense=0, every=30)
    assert diagnose(longer, questions=[name])[0].sign is not Sign.NOT_ENOUGH_DATA


def test_what_is_not_recorded_and_what_is_too_short_are_told_apart(tmp_path: Path) -> None:
    run = watched(tmp_path / "run", 4, every=1, measures=["weight/*"])
    gradients = Need(Source.GRADIENT, "nuclear_rank", 8)
    assert "Record gradient/nuclear_rank" in (sufficient(run, gradients) or "")
    weights = Need(Source.WEIGHT, "frobenius_norm", 5)
    assert sufficient(run, weights) == (
        "Train 5 steps at least: 4 of 5 samples of weight/frobenius_norm so far."
    )
    assert sufficient(run, Need(Source.WEIGHT, "frobenius_norm", 4)) is None
