import json

import pytest

from spectrain.core import Record, RunError, Source
from spectrain.records import RunWriter
from spectrain.training import summarize

CONFIG = {"optimizer": "muon", "steps": 3, "seed": 4, "parameters": 5, "layers": 6}


def write(folder, losses, summary=None):
    writer = RunWriter(folder, manifest={"config": CONFIG})
    writer.write(
        [Record(step, None, Source.TRAINING, measure, value) for step, measure, value in losses]
    )
    writer.flush()
    if summary is None:
        writer._lock.close()  # as a kill does
    else:
        writer.close(summary)


def test_the_summary_speaks_of_the_last_step(tmp_path):
    losses = [(0, "loss", 3.0), (0, "validation_loss", 3.5), (1, "loss", 2.0), (2, "loss", 1.0)]
    write(tmp_path / "run", losses, {"overhead": 0.01})
    summary = summarize(tmp_path / "run")
    assert summary == {
        "run": str(tmp_path / "run"),
        "optimizer": "muon",
        "steps": 3,
        "seed": 4,
        "parameters": 5,
        "loss": 1.0,
        "validation_loss": 3.5,
        "monitor": {"overhead": 0.01},
    }
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_what_was_not_recorded_is_none(tmp_path):
    write(tmp_path / "run", [])
    summary = summarize(tmp_path / "run")
    assert (summary["loss"], summary["validation_loss"], summary["monitor"]) == (None, None, {})


def test_a_folder_that_is_no_run_is_named(tmp_path):
    with pytest.raises(RunError, match="not a run folder"):
        summarize(tmp_path)
