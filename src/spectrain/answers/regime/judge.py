"""Where a norm stands beside that of its noise twin, and what that is called."""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt

import numpy as np
from jaxtyping import Float64, Int64

from spectrain.answers.regime.row import Verdict
from spectrain.answers.twin import Twin
from spectrain.regime import Path

Array = np.ndarray

TOLERANCE = 0.1
"""Relative distance of the norm from the twin's path that still counts as on it."""

FORGOTTEN = 0.1
"""Share of the initial weights in the twin's ‖W‖² below which the block has settled."""

TIED = 16.0
"""Relaxation times that a block needs where a multiplier or a gain may take over its scale: the two
relax along their product, and only slowly along their ratio."""

PASSED = 0.5
"""Relaxation times before which a norm on the path says nothing: it has had no time to leave."""

SIGNAL_SHARE = 0.5
"""Persistent share of the gradient's energy above which the signal drives the update."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A verdict with its reason, the norm over the twin's, and the tolerance of that."""

    verdict: Verdict
    reason: str | None
    ratio: float
    tolerance: float
    entered: int | None


def tolerance_of(twin: Twin, entries: int) -> float:
    """10 %, three standard deviations 1/√(2N) of a twin's norm, and three errors of the path."""
    return TOLERANCE + 3 / sqrt(2 * entries) + 3 * twin.error / 2


def stand(
    twin: Twin,
    steps: Int64[Array, " n"],
    norms: Float64[Array, " n"],
    *,
    entries: int,
    persistent: float | None,
    tied: bool,
    scheduled: bool,
) -> Standing:
    """Judge the norms of one block.

    Args:
        twin: of the block.
        steps: of the recorded weights.
        norms: at these steps.
        entries: number N of entries.
        persistent: lower end of the persistent share of the gradient's energy, if known.
        tied: whether another parameter may take the block's scale.
        scheduled: whether learning rate or decay changed.
    """
    path, tolerance = twin.path, tolerance_of(twin, entries)
    least = np.finfo(np.float64).tiny ** 0.5  # a block that starts at zero starts on its path
    distance = np.log(np.maximum(norms, least) / np.maximum(np.sqrt(path.squared), least))
    late = max(len(steps) // 3, 3)
    middle, width = float(np.median(distance[-late:])), log(1 + tolerance)
    verdict, reason = _verdict(middle, width, path, persistent, tied=tied, scheduled=scheduled)
    entered = _entered(steps, distance, width, path, verdict)
    return Standing(verdict, reason, float(np.exp(middle)), tolerance, entered)


def _verdict(
    distance: float,
    width: float,
    path: Path,
    persistent: float | None,
    *,
    tied: bool,
    scheduled: bool,
) -> tuple[Verdict, str | None]:
    if persistent is not None and persistent > SIGNAL_SHARE:
        return Verdict.SIGNAL_DRIVEN, None
    if distance > 2 * width:
        return Verdict.SIGNAL_DRIVEN, None
    if distance < -2 * width:
        return Verdict.BELOW, None
    if abs(distance) > width:
        return Verdict.UNDECIDED, "the norm is between one and two tolerances from the twin's"
    if not path.relaxations:
        return Verdict.UNDECIDED, "without weight decay there is no equilibrium"
    if path.relaxations < PASSED:
        return Verdict.UNDECIDED, f"only {path.relaxations:.2f} relaxation times have passed"
    if path.initial_share[-1] > FORGOTTEN:
        return Verdict.APPROACHING, None
    with np.errstate(divide="ignore", invalid="ignore"):
        lag = abs(float(np.log(path.squared[-1] / path.equilibrium[-1]))) / 2
    if scheduled and not lag <= width:  # NaN where the last rate is 0
        return Verdict.BEHIND, None
    if tied and path.relaxations < TIED:
        reason = f"{path.relaxations:.1f} of {TIED:.0f} relaxation times, as its scale is shared"
        return Verdict.APPROACHING, reason
    return Verdict.EQUILIBRIUM, None


def _entered(
    steps: Int64[Array, " n"],
    distance: Float64[Array, " n"],
    width: float,
    path: Path,
    verdict: Verdict,
) -> int | None:
    """First recorded step from which the block stayed in its regime."""
    match verdict:
        case Verdict.SIGNAL_DRIVEN:
            inside = distance > width
        case Verdict.BELOW:
            inside = distance < -width
        case Verdict.EQUILIBRIUM:
            inside = (np.abs(distance) <= 2 * width) & (path.initial_share <= FORGOTTEN)
        case _:
            return None
    if not inside[-1]:
        return None
    outside = np.flatnonzero(~inside)
    return int(steps[outside[-1] + 1] if len(outside) else steps[0])
