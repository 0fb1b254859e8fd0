"""What came out of a training, from its records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spectrain.core import Source
from spectrain.records import Run, open_run


def summarize(path: Path) -> dict[str, Any]:
    """Settings and last losses of a run of :func:`spectrain.training.train`, as plain data.

    Raises:
        RunError: the folder is no run.
    """
    run = open_run(path)
    config = run.manifest["config"]
    settings = {key: config[key] for key in ("optimizer", "steps", "seed", "parameters")}
    losses = {measure: _last(run, measure) for measure in ("loss", "validation_loss")}
    return {"run": str(path), **settings, **losses, "monitor": dict(run.summary)}


def _last(run: Run, measure: str) -> float | None:
    values = run.metrics(source=Source.TRAINING, measure=measure)["value"].drop_nulls().to_list()
    return values[-1] if values else None
