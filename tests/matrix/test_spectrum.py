"""The spectrum as a value, and the bound on the error of what is computed from it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spectrain.matrix import diagonal_spectrum, effective_rank, nuclear_norm, spectrum
from spectrain.matrix.spectrum import REASONS, SpectrumStatus, relative_error


def test_every_status_has_its_reason() -> None:
    assert set(REASONS) == set(SpectrumStatus)
    assert [status for status in SpectrumStatus if REASONS[status] is None] == [SpectrumStatus.OK]


def test_indexing_takes_one_matrix(generator: torch.Generator) -> None:
    stack = torch.randn(3, 4, 6, generator=generator)
    stack[1] = 0
    s = spectrum(stack)
    assert len(s) == 3
    assert s[1].reasons == ["zero matrix"]
    assert s[2].values.equal(s.values[2])
    assert s[2].shape == (4, 6)
    assert s[2].method == s.method


def test_shapes_are_checked_at_run_time() -> None:
    with pytest.raises(TypeError, match="Type-check"):
        diagonal_spectrum(torch.tensor(1.0))


@given(
    values=st.lists(st.floats(1e-3, 1.0), min_size=2, max_size=12),
    signs=st.lists(st.sampled_from([-1.0, 1.0]), min_size=12, max_size=12),
)
def test_relative_error_bounds_the_response_to_small_errors(
    values: list[float], signs: list[float]
) -> None:
    exact = torch.tensor(values, dtype=torch.float64)
    error = 1e-6 * exact
    moved = exact + error * torch.tensor(signs[: len(values)], dtype=torch.float64)
    bound = relative_error(exact, error).item()
    for measure in (nuclear_norm, effective_rank):
        before, after = (measure(diagonal_spectrum(v)) for v in (exact, moved))
        assert (after / before - 1).abs().item() <= bound * (1 + 1e-4) + 1e-14


def test_relative_error_of_a_zero_matrix_is_zero() -> None:
    none = torch.zeros(3, dtype=torch.float64)
    assert relative_error(none, none).item() == 0.0
