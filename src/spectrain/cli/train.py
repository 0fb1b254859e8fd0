"""``spectrain train``."""

from __future__ import annotations

import sys
from json import dumps
from pathlib import Path
from typing import Annotated

import tyro

from spectrain.core import InputError
from spectrain.training.config import TrainConfig


def run(
    config: Annotated[TrainConfig, tyro.conf.arg(name="")],
    *,
    resume: Path | None = None,
    json: bool = False,
) -> None:
    """Train a small GPT on a text under watch, or go on with a training that was killed.

    Args:
        config: settings of a new training.
        resume: run folder to go on with; its settings are those it began with.
        json: print the result as JSON.
    """
    from spectrain.training import resume as resume_run
    from spectrain.training import summarize, train

    if resume is not None and config != TrainConfig():
        raise InputError(
            "a resumed run keeps the settings it began with",
            remedy="give --resume without other settings",
        )
    try:
        path = train(config) if resume is None else resume_run(resume)
    except KeyboardInterrupt:
        print(f"to go on: spectrain train --resume {resume or config.out}", file=sys.stderr)
        raise
    result = summarize(path)
    if json:
        print(dumps(result, allow_nan=False))
    else:
        print(
            f"{result['run']}: {result['optimizer']}, {result['steps']} steps, "
            f"loss {_number(result['loss'])}, held-out loss {_number(result['validation_loss'])}"
        )


def _number(value: float | None) -> str:
    return "not recorded" if value is None else f"{value:.4f}"
