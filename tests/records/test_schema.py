"""Frames made of records."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrain.core import InputError, Record, Source, SpectrumRecord
from spectrain.records.layout import METRICS, SPECTRA
from spectrain.records.schema import SCHEMAS, metrics_frame, spectra_frame, storable


def test_undefined_and_not_finite_stay_apart() -> None:
    values = [None, math.nan, math.inf, -math.inf, -0.0]
    records = [Record(0, None, Source.WEIGHT, "m", value, reason="why") for value in values]
    frame = metrics_frame(records, samples=[0] * 5, rank=3)
    assert frame.schema == SCHEMAS[METRICS]
    stored = frame["value"].to_list()
    assert stored[0] is None
    assert math.isnan(stored[1])
    assert stored[2:4] == [math.inf, -math.inf]
    assert math.copysign(1, stored[4]) == -1
    assert frame["reason"].to_list() == ["why"] * 5
    assert frame["rank"].to_list() == [3] * 5


@given(st.lists(st.lists(st.floats(width=32), max_size=5), max_size=6))
def test_spectra_of_any_lengths(spectra: list[list[float]]) -> None:
    records = [
        SpectrumRecord(0, "w", Source.WEIGHT, np.array(values, dtype=np.float32), "exact")
        for values in spectra
    ]
    frame = spectra_frame(records, samples=[0] * len(records), rank=0)
    assert frame.schema == SCHEMAS[SPECTRA]
    for stored, values in zip(frame["values"].to_list(), spectra, strict=True):
        np.testing.assert_array_equal(stored, values)


def test_lone_surrogates_are_spelled_out() -> None:
    records = [Record(0, name, Source.WEIGHT, "m", 0.0) for name in ("\ud800.w", None, "é")]
    frame = metrics_frame(records, samples=[0, 0, 0], rank=0)
    assert frame["block"].to_list() == ["\\ud800.w", None, "é"]
    assert [storable(name) for name in ("\ud800.w", "é")] == ["\\ud800.w", "é"]


def record_with(**fields: Any) -> Record:
    """A record past its type checks, as untyped callers make them."""
    record = Record(0, None, Source.WEIGHT, "m", 0.0)
    for name, value in fields.items():
        object.__setattr__(record, name, value)
    return record


@pytest.mark.parametrize(
    ("column", "value"), [("value", "high"), ("step", 2**64), ("count", 0.5), ("block", 7)]
)
def test_a_value_of_the_wrong_type_is_named(column: str, value: object) -> None:
    with pytest.raises(InputError, match=f"record's {column} does not fit"):
        metrics_frame([record_with(**{column: value})], samples=[0], rank=0)


def test_numpy_scalars_are_numbers() -> None:
    record = record_with(step=np.int64(3), value=np.float32(0.5), count=np.int32(2))
    frame = metrics_frame([record], samples=[0], rank=0)
    assert frame.select("step", "value", "count").row(0) == (3, 0.5, 2)
