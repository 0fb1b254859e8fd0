"""A sweep of 200 watched runs: a worker is killed, then the sweep itself, and it resumes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

import spectrain
from spectrain.core import InputError
from support.sweep import sweep

RUNS = 200
TESTS = Path(__file__).parents[1]


def done_in(folder: Path) -> int:
    return len(list((folder / "outcomes").glob("*.npz")))


@pytest.mark.slow
def test_two_hundred_runs_survive_kills_and_resume(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "support.sweep", str(tmp_path), str(RUNS)]
    process = subprocess.Popen(command, cwd=TESTS, start_new_session=True)
    while process.poll() is None and done_in(tmp_path) < RUNS // 3:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = done_in(tmp_path)
    assert (tmp_path / "killed").exists()
    assert RUNS // 3 <= before < RUNS
    done = sweep(tmp_path, runs=RUNS, workers=2)
    assert [each.problem for each in done] == [None] * RUNS
    tried = Counter((tmp_path / "log").read_text().splitlines())
    assert len(tried) == RUNS
    assert sum(tried.values()) <= RUNS + 6  # two kills, of two workers each, and what was under way
    folders = list(tmp_path.glob("run-*"))
    assert len(folders) == RUNS
    assert all(spectrain.open_run(folder).summary["finished"] for folder in folders[:20])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("backend", ["ray", "dask"])
def test_other_back_ends_survive_a_killed_worker(tmp_path: Path, backend: str) -> None:
    package = pytest.importorskip("ray" if backend == "ray" else "distributed")
    if backend == "ray":
        environment = {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        package.init(num_cpus=2, include_dashboard=False, runtime_env={"env_vars": environment})
    client = package.Client(n_workers=1, threads_per_worker=1) if backend == "dask" else None
    try:
        done = sweep(tmp_path, runs=8, workers=2, backend=backend)
    finally:
        package.shutdown() if client is None else client.shutdown()
    assert (tmp_path / "killed").exists()
    assert [each.problem for each in done] == [None] * 8


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_dask_without_a_cluster_says_so(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    with pytest.raises(InputError, match="there is no Dask cluster; make a"):
        sweep(tmp_path, runs=2, workers=2, backend="dask")
