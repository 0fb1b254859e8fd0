"""Trainings in processes of their own that are killed with SIGKILL, and resumed."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from spectrain.records import open_run
from spectrain.training import TrainConfig, resume, train

MAIN = "from spectrain.cli.main import main; raise SystemExit(main())"
SETTINGS: dict[str, Any] = {
    "layers": 1,
    "width": 16,
    "heads": 2,
    "context": 8,
    "batch_size": 4,
    "optimizer": "muon",
    "steps": 100,
    "evaluate_every": 40,
    "checkpoint_every": 7,
    "threads": 1,
}


@pytest.fixture
def config(tmp_path):
    file = tmp_path / "song.txt"
    file.write_text("How many roads must a man walk down? " * 50, encoding="utf-8")
    return TrainConfig(text=str(file), out=tmp_path / "run", **SETTINGS)


def options(config):
    settings = SETTINGS | {"text": config.text, "out": config.out, "steps": config.steps}
    return [part for name, value in settings.items() for part in (f"--{name}", str(value))]


def kill_when(condition: Callable[[], bool], arguments):
    """Run ``spectrain train`` until the condition holds, then kill it."""
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, "train", *arguments], stderr=subprocess.DEVNULL
    )
    while process.poll() is None and not condition():
        time.sleep(0.001)
    process.kill()
    assert process.wait() == -signal.SIGKILL


def losses(run):
    frame = open_run(run).metrics(source="training", measure=["loss", "validation_loss"])
    return frame.select("step", "measure", "value").sort("step", "measure").rows()


def assert_ends_like(killed, unbroken):
    weights = [
        torch.load(run / "checkpoint.pt", weights_only=True)["model"] for run in (killed, unbroken)
    ]
    for name, tensor in weights[0].items():
        assert torch.equal(tensor, weights[1][name]), name
    assert losses(killed) == losses(unbroken)
    assert open_run(killed).damaged == ()


def test_a_run_killed_before_and_after_its_first_checkpoint_ends_like_an_unbroken_one(
    config, tmp_path
):
    run, checkpoint = config.out, config.out / "checkpoint.pt"
    kill_when((run / "manifest.json").exists, options(config))
    assert not checkpoint.exists()
    kill_when(checkpoint.exists, ["--resume", str(run)])
    assert open_run(run).damaged == ()
    done = torch.load(checkpoint, weights_only=True)["step"]
    assert {step for step, *_ in losses(run)} >= set(range(done))
    resume(run)
    assert_ends_like(run, train(replace(config, out=tmp_path / "unbroken")))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_a_run_killed_at_arbitrary_moments_ends_like_an_unbroken_one(config, tmp_path, seed):
    config = replace(config, steps=400)  # long enough for three kills, whatever start-up takes
    begun = time.monotonic()
    unbroken = train(replace(config, out=tmp_path / "unbroken"))
    length = time.monotonic() - begun
    for delay in np.random.default_rng(seed).uniform(0, 0.2 * length, size=3):
        resuming = (config.out / "manifest.json").exists()
        kill_when(
            later(delay, after=new_attempt(config.out)),
            ["--resume", str(config.out)] if resuming else options(config),
        )
        assert open_run(config.out).damaged == ()
    resume(config.out)
    assert_ends_like(config.out, unbroken)


def new_attempt(run):
    """The condition that another process has begun to write into the run."""
    before = len(list(run.glob("attempts/*.json")))
    return lambda: len(list(run.glob("attempts/*.json"))) > before


def later(delay, *, after):
    """The condition that another one has held for so many seconds."""
    due: list[float] = []

    def condition():
        if not due and after():
            due.append(time.monotonic() + delay)
        return bool(due) and time.monotonic() > due[0]

    return condition
