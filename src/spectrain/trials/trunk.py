"""The trunk: a training of the base, of which snapshots are taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite

from spectrain.core import InputError
from spectrain.trials.arm import train_step
from spectrain.trials.setup import SetUp
from spectrain.trials.snapshot import Snapshot
from spectrain.trials.source import Source


def snapshots_of(
    source: Source,
    base: SetUp,
    at: Sequence[int],
    *,
    advance: Callable[[], None] = lambda: None,
) -> list[Snapshot]:
    """Snapshots of a training of the base, whose rates rise up to the first and are constant then.

    Args:
        source: model, loss and data.
        base: the set-up.
        at: steps of the snapshots, ascending.
        advance: called after each step.

    Raises:
        InputError: the loss is not finite.
    """
    model = source.make()
    if not model.training:
        model.train()
    optimizers = base.optimizers(model)
    snapshots = []
    for step in range(at[-1] + 1):
        if step in at:
            snapshots.append(Snapshot.take(step, model, optimizers))
        if step < at[-1]:
            rise = min(1.0, (step + 1) / at[0])
            loss = train_step(source, model, optimizers, step, rise)
            if not isfinite(loss):
                raise InputError(
                    f"the base diverges: its loss is {loss} at step {step}",
                    remedy="lower its rates: base=usual_setup(model, network, muon_lr=…)",
                )
            advance()
    return snapshots
