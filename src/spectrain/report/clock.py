"""What other than steps can be an axis: tokens seen and time trained, from the records."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from spectrain.answers.series import read_series
from spectrain.core import Source
from spectrain.page.format import rounded
from spectrain.records import Run

MOST_POINTS = 200


@dataclass(frozen=True, slots=True)
class Passed:
    """How much of something had passed when a step was complete; between steps it is a line.

    Attributes:
        steps: at which it is known.
        amounts: passed since the first step began.
    """

    steps: list[int]
    amounts: list[float]


@dataclass(frozen=True, slots=True)
class Clock:
    """The axes beside steps.

    Attributes:
        tokens: where the loop logs the tokens of a step.
        seconds: of training, without watching, from the steps that were timed.
    """

    tokens: Passed | None
    seconds: Passed | None


def read_clock(run: Run) -> Clock:
    """Tokens and seconds since the start, each ``None`` where it was not recorded."""
    return Clock(
        _passed(read_series(run, Source.TRAINING, "tokens")),
        _passed(read_series(run, Source.MONITOR, "training_seconds")),
    )


def _passed(series: pl.DataFrame) -> Passed | None:
    """Running totals of what each step took, steps between two records taking their mean.

    Example:
        >>> _passed(pl.DataFrame({"step": [0, 2], "value": [8.0, 8.0]})).amounts
        [8.0, 24.0]
    """
    if series.is_empty():
        return None
    steps, each = series["step"].to_numpy(), series["value"].to_numpy()
    between = np.diff(steps) * (each[1:] + each[:-1]) / 2
    totals = np.cumsum(np.concatenate([[(steps[0] + 1) * each[0]], between]))
    if not totals[-1] > 0:
        return None
    kept = np.unique(np.linspace(0, len(steps) - 1, MOST_POINTS).round().astype(np.int64))
    return Passed(
        [int(step) for step in steps[kept]], [rounded(total) or 0.0 for total in totals[kept]]
    )
