"""What counts as a sink."""

from __future__ import annotations

from spectrain.core import Sink


class Memory:
    def write(self, records: object) -> None: ...
    def write_spectra(self, spectra: object) -> None: ...
    def flush(self) -> None: ...
    def close(self, summary: object) -> None: ...


class Half:
    def write(self, records: object) -> None: ...


def test_any_class_with_the_four_methods_is_a_sink() -> None:
    assert isinstance(Memory(), Sink)
    assert not isinstance(Half(), Sink)
