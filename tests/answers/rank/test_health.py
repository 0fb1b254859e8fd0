"""Dead and exploding blocks, and updates of low rank, from the records of made-up runs."""

from __future__ import annotations

from collections.abc import Callable
from math import nan
from pathlib import Path

import polars as pl
import pytest

from spectrain.answers import rank
from spectrain.answers.rank.health import _exploding, gradient_health
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
    found = gradient_health(run_with(tmp_path / "run", norm), BLOCKS)
    assert found[SUBJECT].state == state
    assert found[BLOCKS[1].name].state == "ordinary"


def test_a_gradient_that_was_not_finite_is_told_with_its_step(tmp_path) -> None:
    run = run_with(
        tmp_path / "run", lambda step: 1.0 if step < 20 else None, reason="matrix holds NaN or Inf"
    )
    found = gradient_health(run, BLOCKS)[SUBJECT]
    assert (found.state, found.not_finite_at) == ("not finite", 20)
    finding = rank(run)
    assert finding.sign == "act"
    assert f"Not finite (NaN or Inf): the gradient of {SUBJECT} from sampled step 20 on" in (
        finding.sentence
    )
    assert "step 20" in finding.action
    assert finding.statement.startswith(finding.sentence)


def test_a_loss_that_was_not_finite_is_told_with_its_step(tmp_path) -> None:
    run = extended(tmp_path / "run", lambda step: 1.0, loss=lambda step: 1.0 if step < 7 else nan)
    assert "the loss from step 7 on" in rank(run).sentence


def test_growth_is_judged_before_clipping(tmp_path) -> None:
    """The optimizer sees norms of 1, the backward pass left a thousand times as much."""
    run = extended(
        tmp_path / "run", lambda step: 1.0, unclipped=lambda step: 1.0 if step < 20 else 1e3
    )
    assert gradient_health(run, BLOCKS)[SUBJECT].state == "exploding"


def test_growth_from_a_start_near_zero_is_no_explosion(tmp_path) -> None:
    """A saddle point is left at the start; the few samples after it say nothing of growth."""
    run = extended(tmp_path / "run", lambda step: 1e-6 if step < 3 else 1.0, every=5)
    assert gradient_health(run, BLOCKS)[SUBJECT].state == "ordinary"


@pytest.mark.parametrize(("after", "state"), [(0.5, "ordinary"), (5.0, "exploding")])
def test_growth_while_the_loss_falls_is_no_explosion(after, state, tmp_path) -> None:
    """A plateau is left late: gradients grow a thousandfold, and the loss falls at last."""
    run = extended(
        tmp_path / "run",
        lambda step: 1e-3 if step < 20 else 1.0,
        loss=lambda step: 1.0 if step < 20 else after,
    )
    assert gradient_health(run, BLOCKS)[SUBJECT].state == state


def extended(
    path: Path,
    norm: Callable[[int], float],
    *,
    unclipped: Callable[[int], float] | None = None,
    loss: Callable[[int], float] | None = None,
    every: int = 1,
) -> Run:
    """A run of one block with its unclipped norms and its losses."""
    writer = RunWriter(path, manifest={"blocks": [block.to_dict() for block in BLOCKS]})
    for step in range(0, STEPS, every):
        rows = [Record(step, SUBJECT, Source.GRADIENT, "frobenius_norm", norm(step))]
        if unclipped is not None:
            left = unclipped(step)
            rows.append(Record(step, SUBJECT, Source.BACKWARD, "frobenius_norm", left))
        if loss is not None:
            rows.append(Record(step, None, Source.TRAINING, "loss", loss(step)))
        writer.write(rows)
    writer.close({})
    return open_run(path)


def test_updates_of_low_rank(tmp_path) -> None:
    found = gradient_health(run_with(tmp_path / "run", lambda step: 1.0, update=4.0), BLOCKS)
    assert found[SUBJECT].low_rank_update  # 4 of 64
    assert found[SUBJECT].update_share == pytest.approx(4 / 64)
    assert not found[BLOCKS[1].name].low_rank_update


def test_blocks_without_records_have_no_state(tmp_path) -> None:
    other = gpt_blocks(2)[-1]
    found = gradient_health(run_with(tmp_path / "run", lambda step: 1.0), [other])
    assert found[other.name].state is None
    assert found[other.name].low_rank_update is None


def test_the_finding_names_them(tmp_path) -> None:
    finding = rank(run_with(tmp_path / "run", lambda step: 0.0, update=4.0))
    assert any(text.startswith("Dead:") and SUBJECT in text for text in finding.advice)
    assert any(
        "Updates of low rank" in text and "4.0 directions of 64" in text for text in finding.advice
    )
    assert next(row for row in finding.rows if row.block == SUBJECT)["state"] == "dead"
    wild = rank(run_with(tmp_path / "wild", lambda step: 1.0 if step < 20 else 500.0))
    assert any(text.startswith("Exploding:") and SUBJECT in text for text in wild.advice)


@pytest.mark.parametrize(("small", "exploding"), [(20, False), (27, True)])
def test_a_start_that_was_sampled_densely_is_left_out(small: int, exploding: bool) -> None:
    """Near-zero gradients of the first twentieth say nothing of the rest, however many they are."""
    steps = [*range(20), *range(100, 1001, 100)]
    values = [1e-4 if place < small else 1.0 for place in range(len(steps))]
    samples = pl.DataFrame({"step": steps, "value": values})
    unlogged = pl.DataFrame({"step": [], "value": []}, {"step": pl.Int64, "value": pl.Float64})
    assert _exploding(samples, unlogged) is exploding
