"""Timescales of weight decay: how many steps, passes and tokens the weights of a group average."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite

import numpy as np
import polars as pl

from spectrain.answers.regime.row import Memory
from spectrain.answers.series import read_series
from spectrain.answers.twin import MOST_STEPS, Group
from spectrain.core import Block, Source
from spectrain.optim.rules import Decay
from spectrain.records import Run
from spectrain.regime import decay_for
from spectrain.regime.timescale import LEAST_EPOCHS

TOKENS, EPOCH = "tokens", "epoch"
"""Numbers that a training loop may log of a step: tokens in it, passes over the data so far."""


def memories(run: Run, blocks: Sequence[Block], groups: Mapping[str, Group]) -> Iterator[Memory]:
    """The timescale of every parameter group whose decay is decoupled, and holds a block."""
    held: dict[str, list[Block]] = {}
    for block in blocks:
        if block.parameter in groups:
            held.setdefault(groups[block.parameter].name, []).append(block)
    tokens = read_series(run, Source.TRAINING, TOKENS)["value"].median()
    epochs = epochs_per_step(read_series(run, Source.TRAINING, EPOCH))
    for members in held.values():
        group = groups[members[0].parameter]
        if group.rule.decay is Decay.DECOUPLED:
            known = tokens if isinstance(tokens, float) else None
            timescale = memory(group, len(members), epochs_per_step=epochs, tokens_per_step=known)
            if timescale is not None:
                yield timescale


def epochs_per_step(logged: pl.DataFrame) -> float | None:
    """Passes over the data in a step, out of those so far.

    Example:
        >>> epochs_per_step(pl.DataFrame({"step": [0, 10, 20], "value": [0.0, 0.5, 1.0]}))
        0.05
    """
    if logged.height < 2:
        return None
    passed = float(logged["value"][-1]) - float(logged["value"][0])
    steps = int(logged["step"][-1]) - int(logged["step"][0])
    return passed / steps if passed > 0 and steps > 0 else None


def memory(
    group: Group, blocks: int, *, epochs_per_step: float | None, tokens_per_step: float | None
) -> Memory | None:
    """The timescale of one group; ``None`` while its rate is zero."""
    timescale = group.timescale()
    if not isfinite(timescale.steps):
        return None
    length = float(group.steps[-1] - group.steps[0]) + 1
    epochs = None if epochs_per_step is None else length * epochs_per_step
    guideline = timescale.verdict(epochs)
    at = np.linspace(group.steps[0], group.steps[-1], min(int(length), MOST_STEPS))
    rates = group.course("learning_rate")(at) * (length / len(at))
    wanted = None
    if guideline is not None:
        least = LEAST_EPOCHS / max(epochs or 1.0, 1.0)
        wanted = decay_for(1.0 if guideline == "long" else least, rates)
    return Memory(
        name=group.name,
        optimizer=group.optimizer,
        blocks=blocks,
        steps=timescale.steps,
        peak_steps=timescale.peak_steps,
        share=timescale.share,
        epochs=None if epochs_per_step is None else timescale.steps * epochs_per_step,
        tokens=None if tokens_per_step is None else timescale.steps * tokens_per_step,
        guideline=guideline,
        decay=float(group.settings["weight_decay"][-1]),
        wanted=wanted,
        scheduled=group.moves(),
    )
