import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from spectrain.core import InputError
from spectrain.sweeps import run_tasks, task_of
from support.toy_study import Case, run_case


def tasks(folder, cases):
    return [task_of(run_case, case, folder) for case in cases]


def threads(case):
    return {"threads": torch.get_num_threads()}


@pytest.mark.parametrize("workers", [1, 2])
def test_outcomes_come_back_in_order_and_stay_on_disk(tmp_path, workers):
    cases = [Case(seed, size=seed + 1) for seed in range(5)]
    done = run_tasks(tasks(tmp_path, cases), workers=workers)
    assert [each.outcome["count"] for each in done] == [1, 2, 3, 4, 5]
    assert all(each.task.file.exists() and each.seconds > 0 for each in done)


def test_what_has_been_done_is_read_not_run(tmp_path):
    work = tasks(tmp_path, [Case(seed) for seed in range(3)])
    first = run_tasks(work)
    stamps = [task.file.stat().st_mtime_ns for task in work]
    calls = []
    again = run_tasks(work, advance=lambda: calls.append(1))
    assert [task.file.stat().st_mtime_ns for task in work] == stamps
    assert len(calls) == 3
    assert [a.outcome["mean"] for a in again] == [f.outcome["mean"] for f in first]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failure_costs_no_other_task_and_is_tried_again_next_time(tmp_path, workers):
    work = tasks(tmp_path, [Case(0), Case(1, fail=True), Case(2)])
    done = run_tasks(work, workers=workers)
    assert [each.outcome is None for each in done] == [False, True, False]
    assert "ValueError: seed 1 cannot be (run_case" in done[1].problem
    assert not work[1].file.exists()


def test_a_killed_worker_costs_nothing(tmp_path):
    cases = [Case(seed, kill=str(tmp_path / "killed") if seed == 2 else "") for seed in range(6)]
    done = run_tasks(tasks(tmp_path / "out", cases), workers=2)
    assert (tmp_path / "killed").exists()
    assert [each.problem for each in done] == [None] * 6


def test_a_task_that_always_kills_is_given_up_and_the_others_end(tmp_path):
    cases = [Case(0, kill="always"), *(Case(seed) for seed in range(1, 4))]
    done = run_tasks(tasks(tmp_path / "out", cases), workers=2)
    assert "unexpectedly terminated" in done[0].problem
    assert [each.problem for each in done[1:]] == [None] * 3


def test_a_task_runs_with_one_thread_and_the_caller_keeps_its_own(tmp_path):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        [done] = run_tasks([task_of(threads, Case(0), tmp_path)])
        assert done.outcome == {"threads": 1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_damaged_outcome_is_told(tmp_path):
    [task] = tasks(tmp_path, [Case(0)])
    run_tasks([task])
    task.file.write_bytes(b"rubbish")
    [done] = run_tasks([task])
    assert done.outcome is None
    assert "delete it and run again" in done.problem


def test_bad_arguments(tmp_path):
    with pytest.raises(InputError, match="workers is 0"):
        run_tasks([], workers=0)


@pytest.mark.parametrize("backend", ["ray", "dask"])
def test_a_back_end_that_is_not_there_is_named(tmp_path, monkeypatch, backend):
    package = "ray" if backend == "ray" else "distributed"
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=f"pip install {package}"):
        run_tasks(tasks(tmp_path, [Case(0)]), workers=2, backend=backend)


class FakeRay:
    """Ray as far as it is used: what is asked for runs when it is waited for; item 1 dies once."""

    class exceptions:  # noqa: N801
        class RayError(Exception):
            pass

    def __init__(self):
        self.deaths, self.most = 1, 0

    def remote(self, **options):
        assert options == {"num_cpus": 1, "max_retries": 0}
        return lambda function: SimpleNamespace(remote=lambda *given: (function, given))

    def wait(self, running):
        self.most = max(self.most, len(running))
        return [running[-1]], running[:-1]

    def get(self, asked):
        function, given = asked
        if given[0] == 1 and self.deaths:
            self.deaths -= 1
            raise self.exceptions.RayError("the worker died\nat night")
        return function(*given)


def test_with_ray_results_come_one_by_one_and_a_lost_task_is_tried_again(tmp_path, monkeypatch):
    ray = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", ray)
    stored, work = [], tasks(tmp_path, [Case(seed) for seed in range(5)])
    done = run_tasks(
        work,
        workers=2,
        backend="ray",
        advance=lambda: stored.append(sum(task.file.exists() for task in work)),
    )
    assert [each.problem for each in done] == [None] * 5
    assert stored == [1, 2, 3, 4, 5]
    assert (ray.most, ray.deaths) == (2, 0)


def test_a_task_that_ray_always_loses_is_given_up(tmp_path, monkeypatch):
    ray: Any = FakeRay()
    ray.deaths = 100
    ray.get = lambda asked: (_ for _ in ()).throw(ray.exceptions.RayError("the worker died"))
    monkeypatch.setitem(sys.modules, "ray", ray)
    done = run_tasks(tasks(tmp_path, [Case(0), Case(1)]), workers=2, backend="ray")
    assert [each.problem for each in done] == ["no worker could run it: the worker died"] * 2
