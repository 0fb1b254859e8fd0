"""A trial from inside a training: arms fork from the model as it is, and the training goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from torch import nn
from torch.optim import Adam, AdamW, Muon, Optimizer

from spectrain.core import InputError
from spectrain.optim.spectral_momentum import SpectralMomentum
from spectrain.trials.conduct import Changes, changes_for, conduct, kept_in
from spectrain.trials.result import TrialResult
from spectrain.trials.setup import Assignment, SetUp, Stepper
from spectrain.trials.snapshot import Snapshot
from spectrain.trials.source import Loss, Source


def trial_here(
    model: nn.Module,
    optimizers: Sequence[Optimizer],
    loss_fn: Loss,
    batches: Callable[[int], Any] | Iterable[Any],
    held_out: Iterable[Any],
    changes: Changes | None = None,
    *,
    steps: int,
    step: int,
    base: SetUp | None = None,
    share: float | None = None,
    seed: int = 0,
    folder: Path | str | None = None,
    workers: int = 1,
    backend: str = "loky",
    progress: bool = True,
) -> TrialResult:
    """Try changes on branches of a training that is under way, between two of its steps.

    Model, gradients, optimizers and the state of the random numbers are left as they are: the
    training goes on bit by bit as it would have without. Arms start with the rates that the
    optimizers have at this step, and carry their averages on.

    Args:
        model: in training.
        optimizers: its optimizers.
        loss_fn: (model, batch) ↦ mean loss over the batch's examples.
        batches: of the arms; not the iterator that the training draws from.
        held_out: batches that losses are compared on.
        changes: as of :func:`~spectrain.trials.trial`.
        steps: length of the run.
        step: steps that are done.
        base: the set-up to improve; that of the optimizers if not given.
        share: of the run that the trial may cost.
        seed: of dropout.
        folder: where outcomes are kept.
        workers: processes.
        backend: of :func:`spectrain.sweeps.run_tasks`.
        progress: say what it costs, and show a bar.

    Raises:
        InputError: the optimizers are others than AdamW and Muon and no base is given, or as of
            :func:`~spectrain.trials.trial`.
    """
    setup = setup_of(model, optimizers) if base is None else base
    source = Source.of(model, loss_fn, batches, held_out, seed=seed)
    snapshot = Snapshot.take(step, model, optimizers, first=0)
    tried = changes_for(changes, setup, source.make())
    with kept_in(folder) as place:
        return conduct(
            source,
            setup,
            tried,
            lambda advance: [snapshot],
            at=(step,),
            trunk_passes=0,
            steps=steps,
            share=share,
            place=place,
            workers=workers,
            backend=backend,
            progress=progress,
        )


def setup_of(model: nn.Module, optimizers: Iterable[Optimizer]) -> SetUp:
    """The set-up that optimizers stand for, at the rates that they have now.

    A parameter that none of them holds does not move.

    Raises:
        InputError: one is neither AdamW nor Muon, or they differ where a set-up has one value.

    Example:
        >>> layer = nn.Linear(2, 2, bias=False)
        >>> setup = setup_of(layer, [AdamW(layer.parameters(), lr=0.01, weight_decay=0.0)])
        >>> setup.adamw_lr, str(setup.assignments["weight"].rule)
        (0.01, 'adamw')
    """
    names = {id(p): name for name, p in model.named_parameters() if p.requires_grad}
    groups = [(optimizer, group) for optimizer in optimizers for group in optimizer.param_groups]
    rules = [_rule(optimizer, group) for optimizer, group in groups]
    peaks = dict(
        zip(
            ("muon_lr", "adamw_lr"),
            (
                max(
                    (float(g["lr"]) for (_, g), r in zip(groups, rules, strict=True) if r is rule),
                    default=0.0,
                )
                for rule in (Stepper.MUON, Stepper.ADAMW)
            ),
            strict=True,
        )
    )
    assignments = {name: Assignment(Stepper.ADAMW, rate=0.0) for name in names.values()}
    for (_, group), rule in zip(groups, rules, strict=True):
        length = group.get("adjust_lr_fn") or "original"
        matched = rule is Stepper.MUON and length == "match_rms_adamw"
        peak = peaks["muon_lr" if rule is Stepper.MUON and not matched else "adamw_lr"]
        if matched and not peak:
            peak = peaks["adamw_lr"] = float(group["lr"])
        for parameter in group["params"]:
            if id(parameter) in names:
                assignments[names[id(parameter)]] = Assignment(
                    rule,
                    rate=float(group["lr"]) / peak if peak else 0.0,
                    decay=float(group["weight_decay"]),
                    cut=int(group.get("cut", 1)),
                    exponent=float(group.get("exponent", 0.0)),
                    rows_beta=float(group.get("rows_beta", 0.0)),
                    length=length if rule is Stepper.MUON else "original",
                )
    betas = _one(groups, rules, Stepper.ADAMW, "betas", (0.9, 0.95))
    momentum = _one(groups, rules, Stepper.MUON, "momentum", 0.95)
    ordered = {name: assignments[name] for name in names.values()}
    return SetUp(
        ordered,
        peaks["muon_lr"] or peaks["adamw_lr"],
        peaks["adamw_lr"] or peaks["muon_lr"],
        (float(betas[0]), float(betas[1])),
        float(momentum),
    )


def _rule(optimizer: Optimizer, group: dict[str, Any]) -> Stepper:
    if isinstance(optimizer, Muon | SpectralMomentum):
        return Stepper.MUON
    if isinstance(optimizer, AdamW) or (
        isinstance(optimizer, Adam) and not group.get("weight_decay")
    ):
        return Stepper.ADAMW
    raise InputError(
        f"a trial cannot go on with {type(optimizer).__name__}",
        remedy="pass base=usual_setup(model, spectrain.find_blocks(model), …) with rates of yours",
    )


def _one(
    groups: Sequence[tuple[Optimizer, dict[str, Any]]],
    rules: Sequence[Stepper],
    rule: Stepper,
    key: str,
    default: Any,
) -> Any:
    values = {group[key] for (_, group), own in zip(groups, rules, strict=True) if own is rule}
    if len(values) > 1:
        raise InputError(
            f"groups of {rule} differ in {key}", remedy="pass base= with one value for all"
        )
    return values.pop() if values else default
