"""The wall between monitor and training: contains failures, isolates numerics, takes the time."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from time import perf_counter
from types import TracebackType

import torch

from spectrain.core import MonitorWarning
from spectrain.monitor.foreign import foreign

CONSEQUENCES: Mapping[str, str] = {
    "blocks": "the search for new blocks failed; the known ones are still watched",
    "communication": "the exchange between processes failed, so that no step is sampled any more",
    "records": "the records of a step could not be written",
    "schedule": "the schedule of the samples failed, so that no step is sampled any more",
}
"""What a failure of the monitor's parts means; of all other names, which are those of probes, it is
that the probe is switched off."""


@dataclass(slots=True)
class Guard:
    """Runs the monitor's code so that the training cannot notice it.

    Inside, no graph is recorded, autocast is off, and the garbage collector waits: a full
    collection takes as long as many samples, and finds nothing in what a sample leaves. An
    exception disables the probe that raised it, with one warning; with ``strict`` it is raised
    instead. Exceptions that are not the monitor's own, such as a signal handler's, are let through.

    Attributes:
        strict: raise instead of warn.
        device_types: devices on which autocast might be active.
        disabled: probes that were switched off, with the reason.
        seconds: time spent inside since it was last reset.
        spent: the same by probe.
        depth: calls within each other.
        collects: whether the garbage collector was on outside.
    """

    strict: bool = False
    device_types: frozenset[str] = frozenset({"cpu"})
    disabled: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    spent: dict[str, float] = field(default_factory=dict, init=False)
    depth: int = field(default=0, init=False)
    collects: bool = field(default=True, init=False)

    def reset(self) -> None:
        """Take the time anew."""
        self.seconds = 0.0
        self.spent.clear()

    def __call__(self, probe: str) -> Guarded:
        """A context whose body runs as part of ``probe``."""
        return Guarded(self, probe)


class Guarded:
    """The context of one call; a generator would turn what is raised inside into another error."""

    def __init__(self, guard: Guard, probe: str) -> None:
        self._guard, self._probe = guard, probe
        self._stack = ExitStack()
        self._graded = torch.is_grad_enabled()
        self._start = perf_counter()

    def __enter__(self) -> None:
        self._guard.depth += 1
        try:
            if self._guard.depth == 1:
                self._guard.collects = gc.isenabled()
                gc.disable()
            torch.set_grad_enabled(False)
            for device_type in self._guard.device_types:
                if torch.is_autocast_enabled(device_type):
                    self._stack.enter_context(torch.autocast(device_type, enabled=False))
        except BaseException:
            self._leave()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        try:
            if error is None or not isinstance(error, Exception):
                return False
            stranger = foreign(error)
            if stranger is not None and stranger is not error:
                raise stranger
            if stranger is not None or self._guard.strict:
                return False
            reason = f"{type(error).__name__}: {error}"
            self._guard.disabled[self._probe] = reason
            probe = f"the {self._probe} probe failed and is switched off"
            warnings.warn(
                f"spectrain: {CONSEQUENCES.get(self._probe, probe)}; training goes on ({reason}); "
                "pass strict=True to see the traceback",
                MonitorWarning,
                stacklevel=2,
            )
            return True
        finally:
            self._leave()

    def _leave(self) -> None:
        try:
            self._stack.close()
        finally:
            torch.set_grad_enabled(self._graded)
            self._guard.depth -= 1
            if self._guard.depth == 0:
                if self._guard.collects:
                    gc.enable()
                taken = perf_counter() - self._start
                self._guard.seconds += taken
                spent = self._guard.spent
                spent[self._probe] = spent.get(self._probe, 0.0) + taken
