"""Records are plain, fixed values."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spectrain.core import Record, Source, SpectrumRecord


def test_a_record_cannot_be_changed() -> None:
    record = Record(0, "head.weight", Source.GRADIENT, "stable_rank", 1.5)
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.value = 2.0  # type: ignore[misc]


def test_sources_are_their_names() -> None:
    assert f"{Source.CRITERION_INPUT}" == "criterion_input"
    assert Source("gradient") is Source.GRADIENT


def test_a_spectrum_keeps_its_array() -> None:
    values = np.array([2.0, 1.0], dtype=np.float32)
    assert SpectrumRecord(3, "w", Source.WEIGHT, values, "exact/float64").values is values
