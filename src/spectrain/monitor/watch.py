"""``watch``: put the observer around a training loop."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from spectrain.core import QUANTITIES, Described, InputError, MonitorWarning, Role, Sink
from spectrain.core.notebook import small_table
from spectrain.monitor.distributed.follow import Follower
from spectrain.monitor.distributed.mode import hold_spread, is_spread
from spectrain.monitor.distributed.schedule import AgreedSchedule
from spectrain.monitor.distributed.spread import Spread
from spectrain.monitor.ending import keep_open
from spectrain.monitor.folder import fresh
from spectrain.monitor.guard import Guard
from spectrain.monitor.holdings import Holdings
from spectrain.monitor.observer import Observer
from spectrain.monitor.probes import Probe, Replicas
from spectrain.monitor.probes.noise import SHARE
from spectrain.monitor.schedule import Schedule
from spectrain.monitor.survey import Survey, Surveyor

if TYPE_CHECKING:
    from spectrain.trials.result import TrialResult


class Watch:
    """A watched run; made by :func:`watch`, used as a context manager or closed by hand.

    Attributes:
        path: the run folder.
    """

    def __init__(
        self,
        observer: Observer,
        guard: Guard,
        path: Path,
        model: nn.Module,
        optimizers: Sequence[Optimizer],
    ) -> None:
        self.path = path
        self._model, self._optimizers = model, optimizers
        self._observer = observer
        self._guard = guard
        self._closed = False
        observer.owner = self

    def __repr__(self) -> str:
        state = "open" if self.is_open else "closed"
        return f"Watch({str(self.path)!r}, {state}, step {self.step:,})"

    def _repr_html_(self) -> str:
        schedule = self._observer.schedule
        rows = [
            ("state", "open" if self.is_open else "closed"),
            ("steps", f"{self.step:,}"),
            ("sampled", f"{schedule.sampled_steps:,}"),
            ("cost of watching", "–" if schedule.achieved is None else f"{schedule.achieved:.2%}"),
            ("failed and switched off", ", ".join(self._guard.disabled) or "none"),
        ]
        return small_table(f"watched into {self.path}", rows)

    @property
    def step(self) -> int:
        """Optimizer steps completed."""
        return self._observer.step

    @property
    def is_open(self) -> bool:
        """Whether it was not closed yet."""
        return not self._closed

    def log(self, **values: Any) -> None:
        """Record numbers of the current step, such as ``loss`` and ``batch_size``.

        Of ``batch_size`` (examples) and ``tokens`` each process says how many its own part of the
        step holds, microbatches together; they are recorded for all processes.

        Called before the optimizer's step or after it, but before the next forward pass, it speaks
        of that step. Findings that need a number that was not logged answer "not enough data".

        Raises:
            InputError: a value is not one number.
        """
        self._observer.log(values)

    def begin(self) -> None:
        """Say that a step begins, in a loop that does not call the model itself.

        Without it a step begins with the model's forward pass.
        """
        self._observer.begin()

    @contextmanager
    def update(self) -> Iterator[None]:
        """Say that the weights are updated within, in a loop that does not call ``optimizer.step``.

        Sharpness-aware minimisation by hand, for one, calls ``first_step`` and ``second_step``.
        Gradients are read on entering and weights on leaving.

        Example:
            >>> import tempfile, torch, spectrain
            >>> model = torch.nn.Linear(2, 2)
            >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            >>> with spectrain.watch(model, optimizer, f"{tempfile.mkdtemp()}/run") as run:
            ...     model(torch.ones(1, 2)).sum().backward()
            ...     with run.update(), torch.no_grad():
            ...         for parameter in model.parameters():
            ...             parameter -= 0.1 * parameter.grad
            >>> run.step
            1
        """
        with self._observer.update():
            yield

    def flush(self) -> None:
        """Put the records on disk now; for use between two steps, before saving a checkpoint.

        A run that is killed and resumed from that checkpoint then has no gap in its records.
        """
        self._observer.flush()

    def trial(
        self,
        loss_fn: Callable[[nn.Module, Any], Tensor],
        batches: Callable[[int], Any] | Iterable[Any],
        held_out: Iterable[Any],
        changes: Any = None,
        *,
        steps: int,
        **options: Any,
    ) -> TrialResult:
        """Try changes of the optimizers on short branches from here; for use between two steps.

        The training goes on bit by bit as it would have without. The outcome is kept in the run
        folder, where `spectrain explain`, `advise` and the page find it.

        Args:
            loss_fn: (model, batch) ↦ mean loss over the batch's examples.
            batches: of the arms; not the iterator that the training draws from.
            held_out: batches that losses are compared on.
            changes: as of :func:`spectrain.trial`.
            steps: length of the run.
            options: others of :func:`spectrain.trial`, such as ``share`` and ``base``.

        Raises:
            InputError: as of :func:`spectrain.trial`; or the optimizers are others than AdamW and
                Muon and no base is given.

        Example:
            >>> import tempfile, torch, spectrain
            >>> draw = torch.Generator().manual_seed(0)
            >>> data = [torch.randn(8, 4, generator=draw) for _ in range(9)]
            >>> model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 4))
            >>> optimizer = torch.optim.AdamW(model.parameters())
            >>> loss = lambda model, x: (model(x) - x).square().mean()
            >>> from spectrain.trials import to_muon
            >>> with spectrain.watch(model, optimizer, f"{tempfile.mkdtemp()}/run") as run:
            ...     change = lambda base: [to_muon(base, "0.weight")]
            ...     result = run.trial(loss, data[1:], data[:1], change, steps=900)
            >>> result.statement.startswith("No change")
            True
        """
        from spectrain.records.trials import write_trial
        from spectrain.trials.live import trial_here

        given = (loss_fn, batches, held_out, changes)
        result = trial_here(
            self._model, self._optimizers, *given, steps=steps, step=self.step, **options
        )
        write_trial(self.path, self.step, result.to_dict())
        return result

    def close(self, error: BaseException | None = None) -> None:
        """Finish the run, as failed where there is an error; a second call does nothing.

        Warns where the loop ran and no step of an optimizer was seen, or none of one of them.
        """
        if self._closed:
            return
        self._closed = True
        schedule = self._observer.schedule
        self._observer.close(
            {
                "finished": error is None,
                "error": None if error is None else type(error).__name__,
                "steps": schedule.steps,
                "sampled_steps": schedule.sampled_steps,
                "skipped_steps": schedule.steps - schedule.sampled_steps,
                "training_seconds": schedule.training_seconds,
                "monitor_seconds": schedule.monitor_seconds,
                "overhead": schedule.achieved,
                "overhead_budget": schedule.overhead if schedule.every is None else None,
                "every": schedule.every,
                "hidden_seconds": schedule.hidden_seconds,
                "parts": schedule.parts,
                "round_steps": schedule.round_steps,
                "peak_bytes": self._observer.peak_bytes,
                "disabled_probes": dict(self._guard.disabled),
                **self._observer.spread(),
            }
        )
        if error is None and schedule.steps == 0 and self._observer.openings:
            warnings.warn(
                f"spectrain: the model ran and no step of an optimizer was seen, so {self.path} "
                "holds no spectra; pass the optimizer whose step() is called, or put what updates "
                "the weights into `with run.update():`",
                MonitorWarning,
                stacklevel=2,
            )
        elif error is None and schedule.steps and (idle := self._observer.idle):
            warnings.warn(
                f"spectrain: no step was seen of {', '.join(idle)}, so {self.path} holds no "
                "updates of what it trains; pass the optimizers whose step() is called",
                MonitorWarning,
                stacklevel=2,
            )

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close(error)


def watch(
    model: nn.Module,
    optimizer: Optimizer | Sequence[Optimizer],
    path: str | Path,
    *,
    overhead: float = 0.01,
    every: int | None = None,
    dense: int = 3,
    steps: int | None = None,
    include: Sequence[str] = ("*",),
    exclude: Sequence[str] = (),
    measures: Sequence[str] = ("*",),
    probes: Sequence[type[Probe]] = (),
    heads: bool = False,
    roles: Mapping[str, Role] | None = None,
    config: Mapping[str, Any] | None = None,
    sinks: Sequence[Sink] = (),
    data_parallel: bool | None = None,
    strict: bool = False,
    start_step: int = 0,
    resume: bool = False,
    replicas: Replicas | Literal["tested", "microbatches", "none"] = Replicas.TESTED,
) -> Watch:
    """Watch a training loop: spectra of gradients, updates, weights and of their inputs.

    Nothing else is to be called. Gradients are read just before the optimizer's step, updates as
    the difference of the weights, activations through forward hooks that keep only their second
    moments. Training is bit-identical to the unwatched one, and a failing probe is switched off
    with a warning.

    Args:
        model: any module; its blocks are found by :func:`spectrain.find_blocks`.
        optimizer: the optimizer, or all of them; a step ends when each has stepped.
        path: the run folder. One that holds a run already is continued with ``resume``; otherwise
            the run goes into a folder beside it, ``path-2`` and so on, which a warning names.
        overhead: share of the training's own time that watching may take.
        every: sample each ``every``-th step instead, whatever it costs.
        dense: number of steps sampled at the start, as far as none is stalled and 500 steps pay.
        steps: number of the run's last step plus one, where known: samples are then spread evenly,
            and the last step is one of them.
        include: patterns of block names to watch.
        exclude: patterns of block names to leave out.
        measures: patterns such as ``"gradient/*"`` or ``"*/stable_rank"``.
        probes: further classes of :class:`~spectrain.monitor.probes.Probe`.
        heads: also split attention projections into heads.
        roles: pattern of block name to role, where the role that was found is wrong.
        config: what else the manifest should keep of the run.
        sinks: further receivers of the records beside the run folder.
        data_parallel: whether several processes train this model together; known from the model
            where it is wrapped by DDP or holds DTensors.
        strict: raise the monitor's exceptions instead of disabling the probe.
        start_step: steps already done, when resuming.
        resume: continue the run in ``path``.
        replicas: what the backward passes of one step are. ``"microbatches"``: samples of one loss,
            whose spread is the gradient's noise; ``"none"``: something else, such as several
            losses. Unless given, their order is tested over the samples, and noise is recorded
            until the order is found to matter.

    Raises:
        InputError: a pattern matches nothing, the optimizer holds no parameter of the model, a
            number is out of range, or the model is wrapped in a way that is not supported.
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
    parameters = list(model.parameters())
    spread = is_spread(model, parameters, data_parallel)
    guard = Guard(strict, frozenset({"cpu"} | {p.device.type for p in parameters}))
    surveyor = Surveyor(
        model=model,
        optimizers=optimizers,
        measures=measures,
        include=include,
        exclude=exclude,
        heads=heads,
        roles=roles,
        guard=guard,
        hold=hold_spread if spread else lambda *_: Holdings(),
        share=SHARE if every is None else 1.0,
        further=probes,
        replicas=_replicas(replicas),
    )
    for probe in probes:
        QUANTITIES.add(probe.records)
    schedule = Schedule(dense=dense, every=every, overhead=overhead, length=steps)
    survey = surveyor.first()
    if spread:
        slowest = survey.holdings.slowest
        schedule = AgreedSchedule(
            dense=dense, every=every, overhead=overhead, length=steps, slowest=slowest
        )
    facts = {
        "config": dict(config or {}),
        "seeds": {"torch": torch.initial_seed()},
        "monitor": {"overhead": overhead, "every": every, "dense": dense, "measures": [*measures]},
    }
    folder = Path(path) if resume else fresh(Path(path), survey.holdings)
    writer = RunWriter(
        folder,
        manifest=facts | survey.manifest(optimizers),
        rank=survey.holdings.rank,
        start_step=start_step,
        resume=resume,
    )

    def resurvey() -> Survey | None:
        changed = surveyor.again()
        if changed is not None:
            manifest = facts | changed.manifest(optimizers)
            writer.describe(manifest)
            for sink in sinks:
                if isinstance(sink, Described):
                    sink.begin(manifest)
        return changed

    dashboards = list(sinks) if survey.holdings.rank == 0 else []
    for sink in dashboards:
        if isinstance(sink, Described):
            sink.begin(facts | survey.manifest(optimizers))
    if isinstance(survey.holdings, Spread):
        processes = survey.holdings.size
        dashboards = [Follower(sink, folder, processes, start_step) for sink in dashboards]
    observer = Observer(
        model,
        optimizers,
        survey,
        resurvey,
        [writer, *dashboards],
        schedule,
        guard,
        start_step,
    )
    watched = Watch(observer, guard, folder, model, optimizers)
    keep_open(watched, writer.abandon)
    return watched


def _replicas(given: str) -> Replicas:
    try:
        return Replicas(given)
    except ValueError:
        raise InputError(
            f"replicas is {given!r}", remedy=f"pass one of {', '.join(Replicas)}"
        ) from None
