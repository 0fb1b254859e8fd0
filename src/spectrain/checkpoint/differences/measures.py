"""What a difference tells of a block beyond the spectral measures."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

from spectrain.checkpoint.measure import Measured
from spectrain.core import Record, Source

CHANGES = (
    "relative_change",
    "left_overlap",
    "right_overlap",
    "lora_rank",
    "signal_rank",
    "module_rank",
)
"""Of the change of one checkpoint against another."""

INTERFERENCE = (
    "change_cosine",
    "change_ratio",
    "sign_conflict",
    "left_interference",
    "right_interference",
)
"""Of two changes of one base."""


def add_measures(
    result: Measured, block: str, step: int, values: Mapping[str, float | None], reason: str
) -> None:
    """Take numbers of a block, each with a reason where there is none."""
    for name, value in values.items():
        known = value is not None and isfinite(value)
        result.records.append(
            Record(
                step,
                block,
                Source.UPDATE,
                name,
                value if known else None,
                reason=None if known else reason,
            )
        )
