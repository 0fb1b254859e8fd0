"""Build both distributions, look into them, and try them where nothing else is installed.

    python -m campaigns.packages

Wheels and source distributions are built and checked, a wheel is installed by pip alone into an
empty environment, where it watches a model of its own, and the tests of the unpacked source
distribution run there. The first step that fails ends it; what was found is stored as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULT = Path(__file__).parent / "results/packages.json"

STRANGER = """
import torch
from torch import nn
import spectrain

model = nn.Sequential(nn.Linear(12, 24), nn.GELU(), nn.Linear(24, 5))
optimizer = torch.optim.AdamW(model.parameters())
with spectrain.watch(model, optimizer, "run"):
    for step in range(30):
        x = torch.randn(16, 12)
        loss = nn.functional.cross_entropy(model(x), x[:, :5].argmax(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
run = spectrain.open_run("run")
assert run.summary["finished"] and run.metrics(source="gradient").height > 0
torch.save(model.state_dict(), "model.pt")
"""
"""A model that the project knows nothing of, under the two lines of the README."""

COMMANDS = (
    ("--version",),
    ("explain", "run"),
    ("report", "run"),
    ("inspect", "model.pt"),
)

TESTS = ("tests/core", "tests/records/test_versions.py", "tests/matrix/test_measures.py")
"""What of the source distribution's tests is run; all of them take as long as ``make test``."""


def run(command: Sequence[str | Path], cwd: Path, **variables: str) -> str:
    """What a command prints; where it fails, that ends the program."""
    environment = {n: v for n, v in os.environ.items() if n != "PYTHONPATH"} | variables
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


def build(folder: Path) -> list[Path]:
    """Wheel and source distribution of both, checked."""
    for source in (ROOT, ROOT / "studies"):
        run([sys.executable, "-m", "build", "--outdir", folder, source], ROOT)
    files = sorted(folder.iterdir())
    run([sys.executable, "-m", "twine", "check", "--strict", *files], ROOT)
    return files


def contents(file: Path) -> dict[str, Any]:
    """Size of a distribution and of what it holds, by the first folders of the paths."""
    if file.suffix == ".whl":
        held = [(i.filename, i.compress_size) for i in zipfile.ZipFile(file).infolist()]
        depth = 2
    else:
        with tarfile.open(file) as archive:
            held = [(m.name.partition("/")[2], m.size) for m in archive if m.isfile()]
        depth = 1
    parts: Counter[str] = Counter()
    for name, size in held:
        parts["/".join(name.split("/")[:depth]) if "/" in name else "."] += size
    return {"bytes": file.stat().st_size, "files": len(held), "parts": dict(parts.most_common(12))}


def try_out(
    files: Sequence[Path], folder: Path, timed: Callable[[str, Callable[[], Any]], Any]
) -> None:
    """Install the wheels by pip alone; watch, explain, inspect; run tests of the source."""
    home = folder / "venv"
    venv.create(home, with_pip=True)
    python, command = home / "bin/python", home / "bin/spectrain"
    wheels = {file.name.split("-")[0]: file for file in files if file.suffix == ".whl"}
    limits = str(ROOT / "constraints.txt")
    pip = [str(python), "-m", "pip", "install", "--quiet", "--constraint", limits]
    timed("install", lambda: run([*pip, wheels["spectrain"]], folder))
    (folder / "stranger.py").write_text(STRANGER, "utf-8")
    timed("two lines", lambda: run([python, "stranger.py"], folder))
    for arguments in COMMANDS:
        timed(f"spectrain {arguments[0]}", partial(run, [command, *arguments], folder))
    timed("studies", lambda: run([*pip, wheels["spectrain_studies"]], folder))
    timed("spectrain study", lambda: run([command, "study", "list"], folder))
    source = next(
        file for file in files if file.name.startswith("spectrain-") and file.suffix == ".gz"
    )
    with tarfile.open(source) as archive:
        archive.extractall(folder, filter="data")
    tree = folder / source.name.removesuffix(".tar.gz")
    timed("test tools", lambda: run([*pip, f"{tree}[test]"], folder))
    timed("tests of the source", lambda: run([python, "-m", "pytest", "-q", *TESTS], tree))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path, default=RESULT, help="where the figures are stored")
    options = parser.parse_args()
    seconds: dict[str, float] = {}

    def timed(name: str, step: Callable[[], Any]) -> Any:
        start = time.monotonic()
        found = step()
        seconds[name] = round(time.monotonic() - start, 1)
        print(f"{name}: {seconds[name]} s", flush=True)
        return found

    with tempfile.TemporaryDirectory(prefix="packages-") as name:
        folder = Path(name)
        (folder / "dist").mkdir()
        files = timed("build and check", lambda: build(folder / "dist"))
        try_out(files, folder, timed)
        found = {
            "python": sys.version.split()[0],
            "distributions": {file.name: contents(file) for file in files},
            "seconds": seconds,
        }
    options.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
