"""Several processes record what one would, and train as if nobody watched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

import spectrain
from spectrain.monitor.probes.propagating import PropagatingProbe
from support.distributed import (
    MODES,
    Job,
    result,
    run_jobs,
    train,
)
from support.followed import Followed

KEY = ["step", "block", "source", "measure", "index"]

TOLERANCE = {"condition_number": 0.01, "effective_rank": 1e-6, "spectral_entropy": 1e-6}
"""Relative. Seen: condition number 2e-4 (at κ up to 1e6), entropy and effective rank 8e-8, where
small singular values come from a Gram matrix in both."""

OTHERS = 1e-7
"""Relative, of all other measures. Seen: 8e-9."""


def numbers(folder: Path) -> pl.DataFrame:
    frame = spectrain.open_run(folder).metrics()
    return frame.filter(~pl.col("source").is_in(["monitor", "training", "noise"]))


def assert_same_records(folder: Path, reference: Path) -> None:
    ours, theirs = numbers(folder), numbers(reference)
    assert len(ours) == len(ours.unique(KEY)), "a number was recorded twice"
    both = theirs.join(ours, on=KEY, how="full", suffix="_ours", nulls_equal=True)
    alone = both.filter(pl.col("measure").is_null() | pl.col("measure_ours").is_null())
    assert alone.is_empty(), alone
    assert both.filter(pl.col("count").ne_missing(pl.col("count_ours"))).is_empty()
    assert both.filter(pl.col("reason").ne_missing(pl.col("reason_ours"))).is_empty()
    scale = pl.col("value").abs().clip(1e-300)
    error = (pl.col("value") - pl.col("value_ours")).abs() / scale
    allowed = pl.col("measure").replace_strict(TOLERANCE, default=OTHERS, return_dtype=pl.Float64)
    worst = both.with_columns(error=error, allowed=allowed)
    assert worst.filter(pl.col("error") > pl.col("allowed")).is_empty(), worst.sort("error")


def check_modes(tmp_path: Path, processes: int, modes: list[str], **options: Any) -> None:
    """Records equal those of one process, weights and losses those of the unwatched training."""
    train(Job("alone", tmp_path / "reference", **options))
    jobs = [Job(mode, folder, **options) for mode in modes for folder in (None, tmp_path / mode)]
    run_jobs(jobs, processes, tmp_path)
    for place, mode in enumerate(modes):
        for rank in range(processes):
            plain, watched = (result(tmp_path, 2 * place + i, rank) for i in (0, 1))
            assert plain[0] == watched[0], mode
            assert all(
                torch.equal(one, other) for one, other in zip(*plain[1:], *watched[1:], strict=True)
            ), mode
        assert_same_records(tmp_path / mode, tmp_path / "reference")
        assert spectrain.open_run(tmp_path / mode).summary["disabled_probes"] == {}


def test_three_processes_with_uneven_shards(tmp_path: Path) -> None:
    check_modes(tmp_path, 3, ["ddp", "fsdp2"], steps=2)
    microbatches = tmp_path / "microbatches"
    told = (("replicas", "microbatches"),)  # as processes are by themselves
    train(Job("alone", microbatches, steps=2, accumulation=3, options=told))
    for mode in ("ddp", "fsdp2"):
        assert_same_noise(tmp_path / mode, microbatches)


def assert_same_noise(folder: Path, reference: Path) -> None:
    """Ranks are replicas as microbatches are: the same gradients, held by one process in turn."""
    ours, theirs = (spectrain.open_run(f).metrics(source="noise") for f in (folder, reference))
    both = theirs.join(ours, on=KEY, how="full", suffix="_ours", nulls_equal=True)
    assert both.filter(pl.col("count").ne_missing(pl.col("count_ours"))).is_empty(), both
    assert len(both) == len(ours) == len(theirs) > 1000
    error = (pl.col("value") - pl.col("value_ours")).abs()
    allowed = 1e-5 * pl.col("value").abs() + 1e-9  # seen: see below
    assert both.filter(error > allowed).is_empty(), both.filter(error > allowed)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 4])
def test_the_largest_singular_value_is_followed_alike(tmp_path: Path, processes: int) -> None:
    """Beside the spectra of the same steps: products are summed over shards."""
    modes = ["ddp", "fsdp2", "tensor parallel", *(["hsdp"] if processes == 4 else [])]
    check_modes(tmp_path, processes, modes, options=(("probes", (Followed,)),))


def test_what_a_changed_input_changes_is_alike(tmp_path: Path) -> None:
    """Each process replays its part; parameters are gathered where the forward pass has them."""
    options = (("probes", (PropagatingProbe,)), ("measures", ("*/propagating_gain",)))
    check_modes(tmp_path, 2, ["ddp", "fsdp2"], options=options)
    found = numbers(tmp_path / "fsdp2")
    assert found["value"].is_not_null().all()
    assert (found["value"] > 0).sum() > 10


def test_logits_that_are_seen_are_the_largest_of_all_processes(tmp_path: Path) -> None:
    options = (("measures", ("*/max_logit",)),)
    check_modes(tmp_path, 2, ["ddp", "fsdp2"], options=options, eager=True)
    assert numbers(tmp_path / "ddp")["value"].is_not_null().all()


@pytest.mark.slow
def test_what_a_changed_input_changes_is_alike_in_further_modes(tmp_path: Path) -> None:
    options = (("probes", (PropagatingProbe,)), ("measures", ("*/propagating_gain",)))
    modes = ["ddp compiled", "fsdp2 compiled", "fsdp2 unsharded between", "fsdp2 offload"]
    check_modes(tmp_path, 2, [*modes, "tensor parallel"], options=options)


def test_a_mesh_of_two_by_two(tmp_path: Path) -> None:
    check_modes(tmp_path, 4, ["hsdp", "fsdp2 + tensor parallel"], steps=2)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2, 3, 4])
def test_every_mode(tmp_path: Path, processes: int) -> None:
    needs_pairs = {"hsdp", "fsdp2 + tensor parallel"}
    modes = [m for m in MODES if m != "alone" and (processes in {2, 4} or m not in needs_pairs)]
    check_modes(tmp_path, processes, modes)


@pytest.mark.slow
def test_accumulation_without_exchange(tmp_path: Path) -> None:
    check_modes(tmp_path, 2, ["ddp", "fsdp2", "hsdp"], accumulation=3)


@pytest.mark.slow
@pytest.mark.parametrize("frozen_ends", [True, False])
@pytest.mark.parametrize("reentrant", [True, False])
def test_activation_checkpointing_counts_every_column_once(
    tmp_path: Path, reentrant: bool, frozen_ends: bool
) -> None:
    train(Job("alone", tmp_path / "plain", frozen_ends=frozen_ends))
    check_modes(tmp_path, 2, ["ddp", "fsdp2"], reentrant=reentrant, frozen_ends=frozen_ends)
    assert_same_records(tmp_path / "reference", tmp_path / "plain")
