"""A trial that is killed at random moments goes on, and finds the same."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

KILLS = 20

PROGRAM = """
import json, sys, time
import torch
from torch import nn
from spectrain.trials import trial

torch.manual_seed(0)
draw = torch.Generator().manual_seed(1)
data = [torch.randn(8, 6, generator=draw) for _ in range(30)]
model = nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 6))

def loss(model, x):
    time.sleep(0.003)
    return (model(x) - x.flip(1)).square().mean()

print("begins", flush=True)
given = {"steps": 60, "share": 16.0, "folder": sys.argv[1], "progress": False}
found = trial(model, loss, data[1:], data[:1], **given)
print(json.dumps(found.to_dict()))
"""


def start(folder: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


@pytest.mark.slow
def test_killed_at_random_moments_it_goes_on(tmp_path: Path) -> None:
    with start(tmp_path / "whole") as process:
        began = time.monotonic()
        assert process.stdout is not None
        process.stdout.readline()
        told = json.loads(process.stdout.readline())
        lasts = time.monotonic() - began
    assert process.returncode == 0
    moments = random.Random(0)
    kills, cut = 0, set()
    for attempt in range(3 * KILLS):
        folder = tmp_path / f"cut-{attempt // 4}"
        process = start(folder)
        assert process.stdout is not None
        process.stdout.readline()
        try:
            process.wait(moments.uniform(0, 0.5 * lasts))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
            cut.add(folder)
        process.stdout.close()
        if kills == KILLS:
            break
    assert kills == KILLS
    for folder in sorted(cut):
        process = start(folder)
        out, _ = process.communicate()
        assert json.loads(out.splitlines()[-1]) == told
