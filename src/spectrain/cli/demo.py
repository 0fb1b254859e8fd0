"""``spectrain demo``."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from json import dumps
from pathlib import Path
from time import perf_counter
from typing import Literal

from spectrain.cli import compare, explain
from spectrain.core import InputError
from spectrain.training.demo import DEMO

OPTIMIZERS: tuple[Literal["adamw", "muon"], ...] = ("adamw", "muon")


def run(
    *,
    out: Path = Path("runs/demo"),
    steps: int = DEMO.steps,
    fresh: bool = False,
    json: bool = False,
) -> None:
    """Train a small GPT twice under watch, with AdamW and with Muon, and explain both runs.

    Args:
        out: folder for the two runs and the page that puts them side by side.
        steps: optimizer steps of each run.
        fresh: remove what an earlier demo left in the folder.
        json: print the diagnosis as JSON.
    """
    from spectrain.answers import diagnose
    from spectrain.records import open_run
    from spectrain.report import compare as compare_runs
    from spectrain.report import render, render_comparison
    from spectrain.training import summarize, train

    folders = [out / optimizer for optimizer in OPTIMIZERS]
    _make_room(folders, fresh=fresh)
    start = perf_counter()
    for optimizer, folder in zip(OPTIMIZERS, folders, strict=True):
        train(replace(DEMO, optimizer=optimizer, steps=steps, out=folder))
    runs = [open_run(folder) for folder in folders]
    findings = [diagnose(opened) for opened in runs]
    pages = [
        render(opened, opened.path / "report.html", findings=answered)
        for opened, answered in zip(runs, findings, strict=True)
    ]
    comparison = compare_runs(runs)
    pages.append(render_comparison(runs, out / "compare.html", comparison=comparison))
    seconds = perf_counter() - start
    if json:
        summaries = [
            summarize(opened.path) | {"findings": [finding.to_dict() for finding in answered]}
            for opened, answered in zip(runs, findings, strict=True)
        ]
        page_names = [str(page) for page in pages]
        print(dumps({"seconds": seconds, "pages": page_names, "runs": summaries}, allow_nan=False))
        return
    for opened, answered in zip(runs, findings, strict=True):
        print(f"\n{opened.path}\n")
        explain.show(answered)
    print("\nside by side\n")
    compare.show(comparison)
    print(f"\n{seconds:.0f} seconds; open these pages in a browser:")
    print("\n".join(f"  {page}" for page in pages))


def _make_room(folders: list[Path], *, fresh: bool) -> None:
    from spectrain.records import open_run

    for folder in folders:
        if not folder.exists():
            continue
        if not fresh:
            raise InputError(
                f"{folder} holds an earlier demo", remedy="add --fresh, or choose another --out"
            )
        open_run(folder)  # whatever is not a run is not ours to remove
        print(f"removing {folder}", file=sys.stderr)
        shutil.rmtree(folder)
