"""Records: what a source leaves behind, one row a number or a spectrum."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Source(StrEnum):
    """What a record speaks of.

    ``GRADIENT`` is read just before the optimizer's step (accumulated, unscaled, clipped),
    ``BACKWARD`` as it came out of the last backward pass. ``UPDATE`` is the weights' difference
    over the step; ``DIRECTION`` is the same without decoupled weight decay. ``INPUT`` is the
    activation that a block multiplies, ``CRITERION_INPUT`` the one of the descent criterion where
    it is another. ``OPTIMIZER`` rows carry a parameter group's settings, ``TRAINING`` rows what
    the loop logs, ``MONITOR`` rows what watching cost. ``NOISE`` rows hold statistics over replicas
    of the gradient, ``ABLATION`` rows losses with changed weights, ``REALISED`` rows what one step
    of one block did to the loss of its batch.
    """

    GRADIENT = "gradient"
    BACKWARD = "backward"
    UPDATE = "update"
    DIRECTION = "direction"
    WEIGHT = "weight"
    INPUT = "input"
    CRITERION_INPUT = "criterion_input"
    OPTIMIZER = "optimizer"
    TRAINING = "training"
    MONITOR = "monitor"
    NOISE = "noise"
    ABLATION = "ablation"
    REALISED = "realised"


@dataclass(frozen=True, slots=True)
class Record:
    """One number.

    Attributes:
        step: optimizer steps completed before this one (the first step is 0).
        block: name of the block, of the parameter group (``"group 0.1"``), or ``None`` for the run.
        source: what was measured.
        measure: name of the measure.
        value: the value; ``None`` where it is undefined, and then ``reason`` says why.
        error: standard error or numerical error bound, where there is one.
        count: what the value was taken over: columns of an activation, batch size of a gradient.
        reason: why the value is missing or qualified, for people to read: no program takes anything
            from it.
        index: which one, counted from 1, where a measure has several values at one step, such as
            one a singular direction.
    """

    step: int
    block: str | None
    source: Source
    measure: str
    value: float | None
    error: float | None = None
    count: int | None = None
    reason: str | None = None
    index: int | None = None


@dataclass(frozen=True, slots=True)
class SpectrumRecord:
    """The singular values of one matrix at one step, largest first.

    Attributes:
        method: how they were computed, e.g. ``"gram/float64"``.
        error: bound on the absolute error of every singular value.
    """

    step: int
    block: str
    source: Source
    values: NDArray[np.floating]
    method: str
    error: float | None = None
    count: int | None = None
    reason: str | None = None
