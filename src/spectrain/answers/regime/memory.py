"""Timescales of weight decay: how many steps, passes and tokens the weights of a group average."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite

import numpy as np

from spectrain.answers.regime.row import Memory
from spectrain.answers.twin import MOST_STEPS, Group
from spectrain.core import Block
from spectrain.optim.rules import Decay
from spectrain.records import Run
from spectrain.regime import decay_for
from spectrain.regime.timescale import LEAST_EPOCHS, MOST_OF_RUN

PASS, TOKENS = "steps_per_epoch", "tokens_per_step"
"""Entries of a run's configuration that turn steps into passes over the data, and into tokens."""


def memories(run: Run, blocks: Sequence[Block], groups: Mapping[str, Group]) -> Iterator[Memory]:
    """The timescale of every parameter group whose decay is decoupled, and holds a block."""
    held: dict[str, list[Block]] = {}
    for block in blocks:
        if block.parameter in groups:
            held.setdefault(groups[block.parameter].name, []).append(block)
    config = run.manifest.get("config") or {}
    for members in held.values():
        group = groups[members[0].parameter]
        if group.rule.decay is Decay.DECOUPLED:
            found = memory(group, len(members), number(config, PASS), number(config, TOKENS))
            if found is not None:
                yield found


def number(config: Mapping[str, object], key: str) -> float | None:
    """A positive number of the configuration, if it has one of that name."""
    value = config.get(key)
    known = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    return float(value) if known and isinstance(value, int | float) else None


def memory(
    group: Group, blocks: int, steps_per_epoch: float | None, tokens_per_step: float | None
) -> Memory | None:
    """The timescale of one group; ``None`` while its rate is zero."""
    found = group.timescale()
    if not isfinite(found.steps):
        return None
    length = float(group.steps[-1] - group.steps[0]) + 1
    epochs = None if steps_per_epoch is None else length / steps_per_epoch
    guideline = found.verdict(epochs)
    at = np.linspace(group.steps[0], group.steps[-1], min(int(length), MOST_STEPS))
    rates = group.course("learning_rate")(at) * (length / len(at))
    wanted = None
    if guideline is not None:
        least = LEAST_EPOCHS / max(epochs or 1.0, 1.0)
        wanted = decay_for(MOST_OF_RUN if guideline == "long" else least, rates)
    return Memory(
        name=group.name,
        optimizer=group.optimizer,
        blocks=blocks,
        steps=found.steps,
        peak_steps=found.peak_steps,
        share=found.share,
        epochs=None if steps_per_epoch is None else found.steps / steps_per_epoch,
        tokens=None if tokens_per_step is None else found.steps * tokens_per_step,
        guideline=guideline,
        decay=float(group.settings["weight_decay"][-1]),
        wanted=wanted,
        scheduled=group.moves(),
    )
