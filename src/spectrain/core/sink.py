"""Where records go: the protocol between those who measure and those who keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from spectrain.core.record import Record, SpectrumRecord


@runtime_checkable
class Sink(Protocol):
    """Takes records in the order of their steps. The run folder is one; dashboards are others."""

    def write(self, records: Sequence[Record]) -> None:
        """Keep numbers. May buffer them."""

    def write_spectra(self, spectra: Sequence[SpectrumRecord]) -> None:
        """Keep spectra. May buffer them, or drop them where spectra have no place."""

    def flush(self) -> None:
        """Hand on what is buffered."""

    def close(self, summary: Mapping[str, Any]) -> None:
        """Flush and finish; ``summary`` says what watching cost and what was skipped."""


@runtime_checkable
class Described(Protocol):
    """A sink that wants to know the block table before the first record."""

    def begin(self, manifest: Mapping[str, Any]) -> None:
        """Take the run's manifest; called again when blocks have come or gone."""
