"""Errors that a user can meet."""

from __future__ import annotations

import pickle

import pytest

from spectrain.core import InputError, RunError, SpectrainError, UnknownMeasureError


@pytest.mark.parametrize("kind", [InputError, RunError, UnknownMeasureError])
def test_names_the_input_and_the_remedy(kind: type[InputError]) -> None:
    error = kind("rtol is -1", remedy="pass a positive number")
    assert str(error) == "rtol is -1; pass a positive number"
    assert (error.problem, error.remedy) == ("rtol is -1", "pass a positive number")
    assert isinstance(error, SpectrainError)
    assert isinstance(error, ValueError)


def test_an_unknown_measure_is_a_key_error() -> None:
    assert issubclass(UnknownMeasureError, KeyError)


@pytest.mark.parametrize("kind", [InputError, RunError])
def test_crosses_processes(kind: type[InputError]) -> None:
    error = pickle.loads(pickle.dumps(kind("a", remedy="b")))
    assert type(error) is kind
    assert (str(error), error.problem, error.remedy) == ("a; b", "a", "b")
