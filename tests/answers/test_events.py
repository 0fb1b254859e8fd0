"""What befell a run stands before every answer."""

from __future__ import annotations

import math
from pathlib import Path

from spectrain.answers import events
from spectrain.core import Record, Source
from spectrain.records import RunWriter, open_run


def write(folder: Path, losses: list[float], summary: dict[str, object] | None) -> tuple[str, ...]:
    writer = RunWriter(folder / "run", manifest={})
    writer.write([Record(s, None, Source.TRAINING, "loss", x) for s, x in enumerate(losses)])
    writer.flush()
    if summary is not None:
        writer.close(summary)
    told = events(open_run(folder / "run"))
    writer.close({})
    return told


def test_a_run_in_peace_has_none(tmp_path: Path) -> None:
    assert write(tmp_path, [1.0, 0.5], {"finished": True, "steps": 2}) == ()


def test_what_is_not_finite_comes_first(tmp_path: Path) -> None:
    first, second = write(tmp_path, [1.0, math.nan], {"finished": False, "error": "ValueError"})
    assert first.startswith("The logged loss is not finite (NaN or infinite) at step 1")
    assert second.startswith("The run ended with an exception (ValueError)")


def test_a_run_that_is_not_over_says_when_it_last_spoke(tmp_path: Path) -> None:
    (told,) = write(tmp_path, [1.0], None)
    assert told.startswith("The run is not over: its last records are of 20")
