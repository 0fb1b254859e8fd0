"""Deprecated: the name that :mod:`spectrain.answers` had in spectrain 0.1.

Rows still answer ``row["field"]`` for the scripts of that time.
"""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from typing import Any

from spectrain import answers

for _name in answers.QUESTIONS:  # found before a submodule is looked for, and no attribute is set
    sys.modules[f"{__name__}.{_name}"] = import_module(f"{answers.__name__}.{_name}")


def __getattr__(name: str) -> Any:
    if name not in answers.__all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(
        f"spectrain.findings is deprecated: import {name} from spectrain.answers",
        DeprecationWarning,
        stacklevel=2,
    )
    return getattr(answers, name)
