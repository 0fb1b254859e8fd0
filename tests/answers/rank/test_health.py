"""Dead and exploding blocks, and updates of low rank, from the records of made-up runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from spectrain.answers import rank
from spectrain.answers.rank.health import health
from spectrain.core import Record, Source
from spectrain.records import Run, RunWriter, open_run
from support.synthetic_run import gpt_blocks

STEPS = 30
BLOCKS = gpt_blocks(1)[1:5]
SUBJECT = BLOCKS[0].name


def run_with(
    path: Path, norm: Callable[[int], float | None], update: float = 30.0, reason: str | None = None
) -> Run:
    """A run whose first block has these norms and this update rank; the others are ordinary."""
    writer = RunWriter(path, manifest={"blocks": [block.to_dict() for block in BLOCKS]})
    for step in range(STEPS):
        for block in BLOCKS:
            own = block.name == SUBJECT
            value = norm(step) if own else 1.0
            why = reason if own and value is None else None
            writer.write(
                [
                    Record(step, block.name, Source.GRADIENT, "frobenius_norm", value, reason=why),
                    Record(step, block.name, Source.GRADIENT, "effective_rank", 20.0),
                    Record(
                        step,
                        block.name,
                        Source.UPDATE,
                        "effective_rank",
                        update if own else 30.0,
                    ),
                ]
            )
    writer.close({})
    return open_run(path)


@pytest.mark.parametrize(
    ("norm", "state"),
    [
        (lambda step: 1.0, "ordinary"),
        (lambda step: 0.0, "dead"),
        (lambda step: 1.0 if step < 15 else 0.0, "dead"),
        (lambda step: 0.0 if step < 15 else 1.0, "ordinary"),
        (lambda step: 0.0 if step % 2 else 1.0, "ordinary"),
        (lambda step: 1e-9, "dead"),
        (lambda step: 1.0 if step < 20 else 500.0, "exploding"),
        (lambda step: 1.0 if step < 20 else 50.0, "ordinary"),
        (lambda step: 500.0 if step == 29 else 1.0, "ordinary"),
    ],
)
def test_states(norm, state, tmp_path) -> None:
    found = health(run_with(tmp_path / "run", norm), BLOCKS)
    assert found[SUBJECT]["state"] == state
    assert found[BLOCKS[1].name]["state"] == "ordinary"


def test_a_gradient_that_was_not_finite_is_exploding(tmp_path) -> None:
    run = run_with(
        tmp_path / "run", lambda step: None if step == 20 else 1.0, reason="matrix holds NaN or Inf"
    )
    assert health(run, BLOCKS)[SUBJECT]["state"] == "exploding"


def test_updates_of_low_rank(tmp_path) -> None:
    found = health(run_with(tmp_path / "run", lambda step: 1.0, update=4.0), BLOCKS)
    assert found[SUBJECT]["low_rank_update"]  # 4 of 64
    assert found[SUBJECT]["update_share"] == pytest.approx(4 / 64)
    assert not found[BLOCKS[1].name]["low_rank_update"]


def test_blocks_without_records_have_no_state(tmp_path) -> None:
    other = gpt_blocks(2)[-1]
    found = health(run_with(tmp_path / "run", lambda step: 1.0), [other])
    assert found[other.name]["state"] is None
    assert found[other.name]["low_rank_update"] is None


def test_the_finding_names_them(tmp_path) -> None:
    finding = rank(run_with(tmp_path / "run", lambda step: 0.0, update=4.0))
    assert any(text.startswith("Dead:") and SUBJECT in text for text in finding.advice)
    assert any(
        "Updates of low rank" in text and "4.0 directions of 64" in text for text in finding.advice
    )
    assert next(row for row in finding.rows if row["block"] == SUBJECT)["state"] == "dead"
    wild = rank(run_with(tmp_path / "wild", lambda step: 1.0 if step < 20 else 500.0))
    assert any(text.startswith("Exploding:") and SUBJECT in text for text in wild.advice)
