"""A rank that is killed: the others stop as torch does, what was written reads, resume works."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from torch.multiprocessing.spawn import ProcessException

import spectrain
from support.distributed import call, train_and_die

KILLED = 3


def test_a_killed_rank(tmp_path: Path) -> None:
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    broken.mkdir()
    whole.mkdir()
    with pytest.raises(ProcessException):
        call(train_and_die, 2, broken, (broken, 0, KILLED))
    run = spectrain.open_run(broken / "run")
    assert run.damaged == ()
    steps = run.metrics(source="gradient").group_by("rank").agg("step")
    assert {rank: sorted(set(s)) for rank, s in steps.iter_rows()} == {0: [0, 1, 2], 1: [0, 1, 2]}
    (broken / "rendezvous").unlink(missing_ok=True)
    call(train_and_die, 2, broken, (broken, KILLED, None))
    call(train_and_die, 2, whole, (whole, 0, None))
    key = ["step", "block", "source", "measure", "rank"]
    one, other = (
        spectrain.open_run(folder / "run").metrics().filter(pl.col("source") != "monitor").sort(key)
        for folder in (broken, whole)
    )
    assert one.equals(other)
