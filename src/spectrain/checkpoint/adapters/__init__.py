"""One registered file a method of adaptation: its factors become the change that they stand for.

The order of the imports is that in which they are tried; the last reports what nobody understood.
"""

# isort: off
from spectrain.checkpoint.adapters import (
    adalora,
    stacked,
    lora,
    loha,
    lokr,
    vera,
    oft,
    ia3,
    unknown,
)

# isort: on
from spectrain.checkpoint.adapters.config import AdapterConfig, read_adapter_config
from spectrain.checkpoint.adapters.registry import METHODS, Joined, method, resolve_adapters

__all__ = [
    "METHODS",
    "AdapterConfig",
    "Joined",
    "adalora",
    "ia3",
    "loha",
    "lokr",
    "lora",
    "method",
    "oft",
    "read_adapter_config",
    "resolve_adapters",
    "stacked",
    "unknown",
    "vera",
]
