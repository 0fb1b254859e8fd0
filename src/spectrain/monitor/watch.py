"""``watch``: put the observer around a training loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from spectrain.core import Block, InputError, Role, Sink, Skipped, Source
from spectrain.monitor.granularity import GranularityProbe
from spectrain.monitor.guard import Guard
from spectrain.monitor.intended import IntendedProbe
from spectrain.monitor.measuring import matching
from spectrain.monitor.noise_probe import SHARE, NoiseProbe
from spectrain.monitor.observer import Observer
from spectrain.monitor.probes import (
    ActivationProbe,
    BackwardProbe,
    GradientProbe,
    Probe,
    SettingsProbe,
    UpdateProbe,
)
from spectrain.monitor.schedule import Schedule
from spectrain.network import Network, find_blocks
from spectrain.noise import NOISE_MEASURES


class Watch:
    """A watched run; made by :func:`watch`, used as a context manager."""

    def __init__(self, observer: Observer, guard: Guard, path: Path) -> None:
        self.path = path
        self._observer = observer
        self._guard = guard

    @property
    def step(self) -> int:
        """Optimizer steps completed."""
        return self._observer.step

    def log(self, **values: Any) -> None:
        """Record numbers of the current step, such as ``loss`` and ``batch_size``.

        Called before the optimizer's step or after it, but before the next forward pass, it speaks
        of that step. Findings that need a number that was not logged answer "not enough data".

        Raises:
            InputError: a value is not one number.
        """
        self._observer.log(values)

    def flush(self) -> None:
        """Put the records on disk now; for use between two steps, before saving a checkpoint.

        A run that is killed and resumed from that checkpoint then has no gap in its records.
        """
        self._observer.flush()

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        schedule = self._observer.schedule
        self._observer.close(
            {
                "finished": kind is None,
                "steps": schedule.steps,
                "sampled_steps": schedule.sampled_steps,
                "skipped_steps": schedule.steps - schedule.sampled_steps,
                "training_seconds": schedule.training_seconds,
                "monitor_seconds": schedule.monitor_seconds,
                "overhead": schedule.achieved,
                "overhead_budget": schedule.overhead if schedule.every is None else None,
                "every": schedule.every,
                "peak_bytes": self._observer.peak_bytes,
                "disabled_probes": dict(self._guard.disabled),
            }
        )


def watch(
    model: nn.Module,
    optimizer: Optimizer | Sequence[Optimizer],
    path: str | Path,
    *,
    overhead: float = 0.01,
    every: int | None = None,
    dense: int = 3,
    include: Sequence[str] = ("*",),
    exclude: Sequence[str] = (),
    measures: Sequence[str] = ("*",),
    heads: bool = False,
    roles: Mapping[str, Role] | None = None,
    config: Mapping[str, Any] | None = None,
    sinks: Sequence[Sink] = (),
    strict: bool = False,
    start_step: int = 0,
    resume: bool = False,
) -> Watch:
    """Watch a training loop: spectra of gradients, updates, weights and of what feeds them.

    Nothing else is to be called. Gradients are read just before the optimizer's step, updates as
    the difference of the weights, activations through forward hooks that keep only their second
    moments. Training is bit-identical to the unwatched one, and a failing probe is switched off
    with a warning.

    Args:
        model: any module; its blocks are found by :func:`spectrain.find_blocks`.
        optimizer: the optimizer, or all of them; a step ends when each has stepped.
        path: the run folder, new or (with ``resume``) existing.
        overhead: share of the training's own time that watching may take.
        every: sample each ``every``-th step instead, whatever it costs.
        dense: number of steps sampled at the start.
        include: patterns of block names to watch.
        exclude: patterns of block names to leave out.
        measures: patterns such as ``"gradient/*"`` or ``"*/stable_rank"``.
        heads: also split attention projections into heads.
        roles: pattern of block name to role, where the found role is wrong.
        config: what else the manifest should keep of the run.
        sinks: further receivers of the records beside the run folder.
        strict: raise the monitor's exceptions instead of disabling the probe.
        start_step: steps already done, when resuming.
        resume: continue the run in ``path``.

    Raises:
        InputError: a pattern matches nothing, the optimizer holds no parameter of the model, or a
            number is out of range.
        RunError: the folder cannot be used.

    Example:
        >>> import tempfile, torch, spectrain
        >>> model = torch.nn.Linear(4, 3)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> folder = tempfile.mkdtemp()
        >>> with spectrain.watch(model, optimizer, f"{folder}/run") as run:
        ...     for step in range(3):
        ...         loss = model(torch.ones(2, 4)).square().mean()
        ...         optimizer.zero_grad()
        ...         loss.backward()
        ...         optimizer.step()
        ...         run.log(loss=loss, batch_size=2)
        >>> frame = spectrain.open_run(f"{folder}/run").metrics(measure="effective_rank")
        >>> round(frame.filter(source="gradient")["value"][0], 3)  # one direction
        1.0
    """
    from spectrain.records import RunWriter

    optimizers = [optimizer] if isinstance(optimizer, Optimizer) else list(optimizer)
    schedule = Schedule(dense=dense, every=every, overhead=overhead)
    network = find_blocks(model, heads=heads, overrides=roles)
    parameters = dict(model.named_parameters(remove_duplicate=False))
    watched, skipped = _select(network, optimizers, parameters, include, exclude)
    names = {source: matching(source, measures) for source in Source}
    if not any(names.values()):
        raise InputError(f"measures {list(measures)} match nothing", remedy="try 'gradient/*'")
    manifest = {
        "config": dict(config or {}),
        "blocks": [block.to_dict() for block in watched],
        "skipped": [{"parameter": s.parameter, "reason": s.reason} for s in skipped],
        "groups": _groups(optimizers, parameters),
        "seeds": {"torch": torch.initial_seed()},
        "monitor": {"overhead": overhead, "every": every, "dense": dense, "measures": [*measures]},
    }
    folder = Path(path)
    writer = RunWriter(folder, manifest=manifest, start_step=start_step, resume=resume)
    guard = Guard(strict, frozenset({"cpu"} | {p.device.type for p in parameters.values()}))
    by_parameter: dict[str, list[Block]] = {}
    for block in watched:
        by_parameter.setdefault(block.parameter, []).append(block)
    observer = Observer(
        model,
        optimizers,
        by_parameter,
        parameters,
        _probes(model, optimizers, watched, parameters, names, measures, guard, every),
        [writer, *sinks],
        schedule,
        guard,
        start_step,
    )
    return Watch(observer, guard, folder)


def _probes(
    model: nn.Module,
    optimizers: Sequence[Optimizer],
    blocks: Sequence[Block],
    parameters: Mapping[str, nn.Parameter],
    names: Mapping[Source, Sequence[str]],
    patterns: Sequence[str],
    guard: Guard,
    every: int | None,
) -> list[Probe]:
    probes: list[Probe] = [SettingsProbe(optimizers)]
    if names[Source.INPUT] or names[Source.CRITERION_INPUT]:
        probes.append(ActivationProbe(model, blocks, guard))
    if names[Source.BACKWARD]:
        probes.append(BackwardProbe(parameters, blocks, guard))
    if names[Source.GRADIENT]:
        probes.append(GradientProbe(parameters, names[Source.GRADIENT]))
        heads = GranularityProbe(parameters, blocks, find_blocks(model, heads=True).blocks)
        if heads:
            probes.append(heads)
    if any(names[source] for source in (Source.UPDATE, Source.DIRECTION, Source.WEIGHT)):
        probes.append(UpdateProbe(parameters, names))
    if names[Source.DIRECTION]:
        probes.append(IntendedProbe(parameters))
    if any(fnmatchcase(f"{Source.NOISE}/{name}", p) for name in NOISE_MEASURES for p in patterns):
        share = SHARE if every is None else 1.0
        probes.append(NoiseProbe(model, parameters, blocks, guard, share=share))
    return probes


def _select(
    network: Network,
    optimizers: Sequence[Optimizer],
    parameters: Mapping[str, nn.Parameter],
    include: Sequence[str],
    exclude: Sequence[str],
) -> tuple[list[Block], list[Skipped]]:
    """The blocks to watch, and what is left out with its reason."""
    trained = {id(p) for o in optimizers for group in o.param_groups for p in group["params"]}
    if not any(id(parameter) in trained for parameter in parameters.values()):
        raise InputError(
            "the optimizer holds no parameter of the model",
            remedy="pass the model whose parameters the optimizer was made with",
        )
    for pattern in (*include, *exclude):
        if not any(_matches(block, [pattern]) for block in network.blocks):
            raise InputError(
                f"the pattern {pattern!r} matches no block",
                remedy="see spectrain.find_blocks(model) for the names",
            )
    watched, skipped = [], [*network.skipped, *network.unsplit]
    for block in network.blocks:
        if _matches(block, include) and not _matches(block, exclude):
            watched.append(block)
        else:
            skipped.append(Skipped(block.name, "left out by pattern"))
    return watched, skipped


def _matches(block: Block, patterns: Sequence[str]) -> bool:
    return any(block.name == pattern or fnmatchcase(block.name, pattern) for pattern in patterns)


def _groups(
    optimizers: Sequence[Optimizer], parameters: Mapping[str, nn.Parameter]
) -> list[dict[str, Any]]:
    names = {id(parameter): name for name, parameter in parameters.items()}
    return [
        {
            "name": f"group {index}.{number}",
            "optimizer": type(optimizer).__name__,
            "parameters": [names.get(id(p), "not in the model") for p in group["params"]],
        }
        for index, optimizer in enumerate(optimizers)
        for number, group in enumerate(optimizer.param_groups)
    ]
