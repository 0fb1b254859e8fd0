"""Deprecated: the name that :mod:`spectrain.answers` had in spectrain 0.1.

Rows still answer ``row["field"]`` for the scripts of that time.
"""

from __future__ import annotations

import warnings
from typing import Any

from spectrain import answers


def __getattr__(name: str) -> Any:
    if name not in answers.__all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(
        f"spectrain.findings is deprecated: import {name} from spectrain.answers",
        DeprecationWarning,
        stacklevel=2,
    )
    return getattr(answers, name)
