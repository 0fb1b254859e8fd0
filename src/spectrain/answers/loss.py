"""Whether the logged loss keeps falling."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from spectrain.answers.series import read_series
from spectrain.answers.trend import ENOUGH, LEVEL, trend
from spectrain.core import Source
from spectrain.records import Run

MOST = 64
"""Stretches of equal length over which the losses of a run are averaged."""

_SEED = 0


class Direction(StrEnum):
    """Where the loss goes, at a false-positive rate of 5 %."""

    FALLING = "falling"
    LEVEL = "level"
    RISING = "rising"


@dataclass(frozen=True, slots=True)
class LossCourse:
    """The logged loss over the second half of a run.

    Attributes:
        direction: of its trend.
        before: median over the third quarter of the run.
        after: over the last quarter.
    """

    direction: Direction
    before: float
    after: float


def loss_course(run: Run) -> LossCourse | None:
    """The trend of the loss; ``None`` where too few losses are logged for one.

    The losses are averaged over at most :data:`MOST` stretches; the second half of these is tested
    by :func:`spectrain.answers.trend.trend`.

    Example:
        >>> import tempfile
        >>> from spectrain.core import Record
        >>> from spectrain.records import RunWriter, open_run
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     writer = RunWriter(folder, manifest={})
        ...     losses = [(s, 1 + 0.9**s) for s in range(64)]
        ...     writer.write([Record(s, None, Source.TRAINING, "loss", v) for s, v in losses])
        ...     writer.close({})
        ...     print(loss_course(open_run(folder)).direction)
        falling
    """
    losses = read_series(run, Source.TRAINING, "loss")
    parts = np.array_split(np.arange(losses.height), min(MOST, max(losses.height, 1)))
    values = losses["value"].to_numpy()
    means = np.array([values[part].mean() for part in parts if len(part)])
    late = means[len(means) // 2 :]
    if len(late) < ENOUGH:
        return None
    tested = trend(late, np.random.default_rng(_SEED))
    direction = Direction.FALLING if tested.rho < 0 else Direction.RISING
    if tested.p_value > 1 - LEVEL:
        direction = Direction.LEVEL
    before, after = np.array_split(late, 2)
    return LossCourse(direction, float(np.median(before)), float(np.median(after)))
