"""Every example runs, and leaves a finished run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import spectrain

EXAMPLES = Path(__file__).parents[1] / "examples"
NEEDS = {"transformers_trainer": "transformers", "lightning_trainer": "lightning"}
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.py")), ids=lambda file: file.stem)
def test_example(tmp_path: Path, file: Path) -> None:
    if package := NEEDS.get(file.stem):
        pytest.importorskip(package)
    launcher = TORCHRUN if file.stem in {"ddp", "fsdp2"} else ()
    command = [sys.executable, *launcher, str(file), str(tmp_path / "run")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    run = spectrain.open_run(tmp_path / "run")
    assert run.summary["finished"]
    assert run.summary["disabled_probes"] == {}
    for source in ("gradient", "update", "weight", "input"):
        assert not run.metrics(source=source).is_empty(), source
    assert {attempt.rank for attempt in run.attempts} == ({0, 1} if launcher else {0})
