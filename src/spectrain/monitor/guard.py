"""The wall between monitor and training: contains failures, isolates numerics, takes the time."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from time import perf_counter

import torch

from spectrain.core import MonitorWarning


@dataclass(slots=True)
class Guard:
    """Runs the monitor's code so that the training cannot notice it.

    Inside, no graph is recorded and autocast is off. An exception disables the probe that raised
    it, with one warning; with ``strict`` it is raised instead.

    Attributes:
        strict: raise instead of warn.
        device_types: devices on which autocast might be active.
        disabled: probes that were switched off, with the reason.
        seconds: time spent inside since it was last reset.
    """

    strict: bool = False
    device_types: frozenset[str] = frozenset({"cpu"})
    disabled: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    _depth: int = 0

    @contextmanager
    def __call__(self, probe: str) -> Iterator[None]:
        """Run the body as part of ``probe``."""
        start = perf_counter()
        self._depth += 1
        try:
            with ExitStack() as stack:
                stack.enter_context(torch.no_grad())
                for device_type in self.device_types:
                    if torch.is_autocast_enabled(device_type):
                        stack.enter_context(torch.autocast(device_type, enabled=False))
                yield
        except Exception as error:
            if self.strict:
                raise
            self.disabled[probe] = f"{type(error).__name__}: {error}"
            warnings.warn(
                f"spectrain: the {probe} probe failed and is switched off, training goes on "
                f"({self.disabled[probe]}); pass strict=True to see the traceback",
                MonitorWarning,
                stacklevel=3,
            )
        finally:
            self._depth -= 1
            if self._depth == 0:
                self.seconds += perf_counter() - start
