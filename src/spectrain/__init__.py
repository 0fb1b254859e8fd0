"""spectrain: a spectral observatory for neural-network training.

Names are imported when they are first used, so that ``import spectrain`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spectrain.matrix import MEASURES, spectrum
    from spectrain.monitor import measure_noise, measure_steps, watch
    from spectrain.network import find_blocks
    from spectrain.records import open_run
    from spectrain.trials import trial

    __version__: str

__all__ = [
    "MEASURES",
    "__version__",
    "find_blocks",
    "measure_noise",
    "measure_steps",
    "open_run",
    "spectrum",
    "trial",
    "watch",
]

HOMES = {
    "MEASURES": "spectrain.matrix",
    "find_blocks": "spectrain.network",
    "measure_noise": "spectrain.monitor",
    "measure_steps": "spectrain.monitor",
    "open_run": "spectrain.records",
    "spectrum": "spectrain.matrix",
    "trial": "spectrain.trials",
    "watch": "spectrain.monitor",
}
"""The package that defines each public name."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("spectrain")
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
