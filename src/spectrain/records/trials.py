"""Trials that were made for a run: one JSON file each, in the folder ``trials`` of the run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spectrain.core import RunError
from spectrain.records.layout import write_whole
from spectrain.records.manifest import to_json

TRIALS = "trials"
"""Name of the folder."""


def write_trial(run: Path, step: int, told: Mapping[str, Any]) -> Path:
    """Keep a trial that was forked at a step; an earlier one of that step is replaced.

    Args:
        run: folder of the run.
        step: at which arms forked.
        told: plain data.

    Raises:
        RunError: the file cannot be written.
    """
    file = run / TRIALS / f"step-{step:09d}.json"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, to_json({"step": step, **told}), durable=True)
    except OSError as error:
        raise RunError(
            f"the trial cannot be kept in {file}: {error.strerror}", remedy="free disk space"
        ) from None
    return file


def read_trials(run: Path) -> list[dict[str, Any]]:
    """All trials of a run by step; none where there is no such folder.

    Raises:
        RunError: a file is damaged.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = write_trial(folder, 20, {"statement": "No change."})
        >>> read_trials(folder)
        [{'step': 20, 'statement': 'No change.'}]
    """
    trials = []
    for file in sorted((run / TRIALS).glob("step-*.json")):
        try:
            trial = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(f"{file} is no trial: {error}", remedy="delete it") from None
        if not isinstance(trial, dict) or not isinstance(trial.get("step"), int):
            raise RunError(f"{file} is no trial", remedy="delete it")
        trials.append(trial)
    return trials
