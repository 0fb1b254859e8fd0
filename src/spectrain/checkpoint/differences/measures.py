"""What a difference says of a block beyond the spectral measures."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

from spectrain.checkpoint.measure import Measured
from spectrain.core import QUANTITIES, Quantity, Record, Source


def declare(formulas: Mapping[str, str]) -> tuple[str, ...]:
    """The names, their formulas being put where every recorded name stands."""
    QUANTITIES.add(Quantity(Source.UPDATE, name, "1", text) for name, text in formulas.items())
    return tuple(formulas)


_OVERLAP = "mean squared overlap of as many leading {side} singular directions"

CHANGES = declare(
    {
        "relative_change": "‖W₁ − W₀‖_F/‖W₀‖_F",
        "left_overlap": _OVERLAP.format(side="left"),
        "right_overlap": _OVERLAP.format(side="right"),
        "lora_rank": "least rank that keeps the asked-for share of ‖W₁ − W₀‖_F²",
        "signal_rank": "singular values of W₁ − W₀ that white noise does not account for",
        "module_rank": "lora_rank of the whole module, where blocks are its parts",
    }
)
"""Of the change of one checkpoint against another."""

INTERFERENCE = declare(
    {
        "change_cosine": "⟨A, B⟩/(‖A‖_F‖B‖_F) of the changes A and B",
        "change_ratio": "‖B‖_F/‖A‖_F",
        "sign_conflict": "share of Σ|A_ij||B_ij| where the two have opposite signs",
        "left_interference": _OVERLAP.format(side="left") + " of A and B",
        "right_interference": _OVERLAP.format(side="right") + " of A and B",
    }
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
