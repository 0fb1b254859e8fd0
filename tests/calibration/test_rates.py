"""The frame of calibrations, and the rates themselves over a few runs of each kind."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from spectrain.answers import QUESTIONS
from spectrain.answers.course import PlantedRun
from spectrain.calibration import Rate, calibrate, read, table, write
from spectrain.calibration.rates import planted_of, train

EVERY = [(name, planted) for name in QUESTIONS for planted in planted_of(name)]
STORED = Path(__file__).parents[2] / "docs" / "calibration.json"


@pytest.mark.parametrize(
    ("name", "planted"), EVERY, ids=[f"{name}: {planted.name}" for name, planted in EVERY]
)
def test_what_is_planted_is_recorded_and_repeatable(
    name: str, planted: PlantedRun, tmp_path: Path
) -> None:
    first, second = (planted.draw(torch.Generator().manual_seed(3)) for _ in range(2))
    for block, shape in planted.shapes.items():
        gradient = first.gradients(0)[block]
        assert tuple(gradient.shape) == shape
        assert torch.equal(gradient, second.gradients(0)[block])
    assert len(first.losses) in (0, planted.steps)


def test_the_recorder_is_the_real_one(tmp_path: Path) -> None:
    planted = planted_of("rank")[0]
    run = train(planted, 0, tmp_path / "run")
    assert [block.name for block in run.blocks] == ["a.weight", "b.weight"]
    assert run.metrics(source="gradient", measure="effective_rank").height == 2 * planted.steps


@pytest.mark.slow
@pytest.mark.parametrize("question", [n for n in QUESTIONS if planted_of(n)])
def test_claims_are_rarely_false_and_mostly_found(question: str) -> None:
    """At most 5 % where false: of 40 runs, 6 claims would refute it at the level of 1.4 %."""
    for found in calibrate(question, 40, seed=10_000):
        assert found.share >= 0.5 if found.true else found.said <= 6, found


def test_stored_rates_are_rarely_false() -> None:
    """Published rates: over 200 runs, and not refuted to be at most 5 %."""
    for found in read(STORED):
        if not found.true:
            assert found.runs >= 200
            assert found.interval[0] <= 0.05, found


def test_rates_are_stored_in_place(tmp_path: Path) -> None:
    file = tmp_path / "rates.json"
    write([Rate("rank", "a", "x", False, 10, 1), Rate("rank", "b", "x", True, 10, 9)], file)
    write([Rate("rank", "a", "x", False, 20, 0)], file)
    assert [(rate.name, rate.runs) for rate in read(file)] == [("a", 20), ("b", 10)]
    assert "| 20 of a | 0.0 % (0.0 to 16.8) |" in table(read(file))
