"""Attempts: which one counts, and that a rank has one writer only."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrain.core import RunError
from spectrain.records import attempt as attempt_module
from spectrain.records.attempt import (
    Attempt,
    attempt_names,
    claim_attempt,
    load_attempt,
    lock_rank,
    replaced_from,
)

writers = st.tuples(st.integers(0, 2), st.integers(1, 5))


@given(st.dictionaries(writers, st.integers(0, 20)), st.integers(0, 20))
def test_of_every_step_the_last_attempt_that_reached_back_to_it_counts(
    start_steps: dict[tuple[int, int], int], step: int
) -> None:
    ends = replaced_from(start_steps)
    assert ends.keys() == start_steps.keys()
    for (rank, number), end in ends.items():
        replaced = any(
            other_rank == rank and later > number and start <= step
            for (other_rank, later), start in start_steps.items()
        )
        assert (end is not None and step >= end) == replaced


def test_attempts_are_numbered_within_their_rank(tmp_path: Path) -> None:
    claimed = [claim_attempt(tmp_path, rank=rank, start_step=7) for rank in (0, 1, 0)]
    assert [(one.rank, one.number) for one in claimed] == [(0, 1), (1, 1), (0, 2)]
    assert list(attempt_names(tmp_path)) == [(0, 1), (0, 2), (1, 1)]
    assert load_attempt(tmp_path / claimed[2].name) == claimed[2]


def test_two_that_claim_the_same_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claim_attempt(tmp_path, rank=0, start_step=0)
    monkeypatch.setattr(attempt_module, "attempt_names", lambda _: {})  # listed a moment earlier
    with pytest.raises(RunError, match="another writer is at work on rank 0"):
        claim_attempt(tmp_path, rank=0, start_step=0)


def test_the_lock_of_a_rank_is_exclusive_and_ends_with_its_file(tmp_path: Path) -> None:
    with lock_rank(tmp_path, rank=0):
        lock_rank(tmp_path, rank=1).close()
        with pytest.raises(RunError, match=r"at work on rank 0 of .*wait until its process ends"):
            lock_rank(tmp_path, rank=0)
    lock_rank(tmp_path, rank=0).close()


@pytest.mark.parametrize("content", [b"", b"\xff", b"{", b"[]", b"{}", b'{"start_step": "x"}'])
def test_a_damaged_attempt_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "attempt").write_bytes(content)
    assert load_attempt(tmp_path / "attempt") is None


def test_an_attempt_survives_the_disk(tmp_path: Path) -> None:
    saved = Attempt(2, 3, 5, "then", "later", {"overhead": 0.01}, {"spectra": 4})
    saved.save(tmp_path)
    assert load_attempt(tmp_path / saved.name) == saved
