"""The contract that every registered measure keeps, and the definitions transcribed naively."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from spectrain.core import Measure
from spectrain.matrix import (
    MEASURES,
    Spectrum,
    condition_number,
    diagonal_spectrum,
    effective_rank,
    nuclear_rank,
    spectrum,
    stable_rank,
)
from support.prescribed import SPECTRA, low_rank, orthonormal, spike_and_bulk, with_values

UNITS = {"unit of A": 1, "1": 0, "nat": 0}
"""Power of the scale of A in each unit."""

FOR_EACH_MEASURE = pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)

# The definitions, a second time, in plain Python over lists of singular values.


def entropy(values: list[float]) -> float:
    return -sum(p * math.log(p) for p in (v / sum(values) for v in values) if p > 0)


def energy(values: list[float]) -> float:
    return sum(v**2 for v in values)


NAIVE: dict[str, Callable[[list[float]], float]] = {
    "frobenius_norm": lambda v: math.sqrt(energy(v)),
    "operator_norm": max,
    "nuclear_norm": sum,
    "nuclear_rank": lambda v: sum(v) ** 2 / energy(v),
    "stable_rank": lambda v: energy(v) / max(v) ** 2,
    "spectral_entropy": entropy,
    "effective_rank": lambda v: math.exp(entropy(v)),
    "participation_ratio": lambda v: energy(v) ** 2 / sum(x**4 for x in v),
    "top1_mass": lambda v: max(v) / sum(v),
    "top5_mass": lambda v: sum(sorted(v)[-5:]) / sum(v),
    "top10_mass": lambda v: sum(sorted(v)[-10:]) / sum(v),
    "condition_number": lambda v: max(v) / min(v) if min(v) > 0 else math.nan,
    "intrinsic_dimension": lambda v: sum(v) / max(v),
}


def value(measure: Measure, matrix: Tensor) -> float:
    return measure(spectrum(matrix)).item()


@pytest.fixture
def ordinary(generator: torch.Generator) -> Tensor:
    """A float64 matrix with a well resolved spectrum."""
    return with_values(spike_and_bulk(12), 12, 20, generator)


@FOR_EACH_MEASURE
class TestContract:
    def test_says_what_it_is(self, measure: Measure) -> None:
        assert measure.name == measure.function.__name__
        assert measure.unit in UNITS
        assert measure.formula.strip()
        assert measure.citation.strip()
        assert ">>>" in (measure.function.__doc__ or "")

    @pytest.mark.parametrize("prescribed", SPECTRA)
    @pytest.mark.parametrize("rank", [1, 2, 30])
    def test_equals_its_naive_transcription(
        self, measure: Measure, prescribed: str, rank: int
    ) -> None:
        values = SPECTRA[prescribed](rank)
        expected = NAIVE[measure.name](values.tolist())
        got = measure(diagonal_spectrum(values)).item()
        assert got == pytest.approx(expected, rel=1e-14, nan_ok=True)  # measured 1e-15

    @pytest.mark.parametrize("scale", [-3.0, 1e-5, 1e5])
    def test_scales_by_its_unit(self, measure: Measure, scale: float, ordinary: Tensor) -> None:
        factor = abs(scale) ** UNITS[measure.unit]
        expected = factor * value(measure, ordinary)
        assert value(measure, scale * ordinary) == pytest.approx(expected, rel=1e-11)

    def test_is_invariant_under_orthogonal_maps(
        self, measure: Measure, ordinary: Tensor, generator: torch.Generator
    ) -> None:
        turned = orthonormal(12, 12, generator) @ ordinary @ orthonormal(20, 20, generator)
        assert value(measure, turned) == pytest.approx(value(measure, ordinary), rel=1e-11)

    def test_is_invariant_under_transposition(self, measure: Measure, ordinary: Tensor) -> None:
        assert value(measure, ordinary.mT) == pytest.approx(value(measure, ordinary), rel=1e-13)

    def test_is_invariant_under_zero_padding(self, measure: Measure, ordinary: Tensor) -> None:
        """Of the longer side; of both for all but κ, which a zero singular value makes infinite."""
        longer = torch.nn.functional.pad(ordinary, (0, 7))
        assert value(measure, longer) == pytest.approx(value(measure, ordinary), rel=1e-13)
        both = value(measure, torch.nn.functional.pad(ordinary, (3, 3, 2, 2)))
        if measure.name == "condition_number":
            assert math.isnan(both)
        else:
            assert both == pytest.approx(value(measure, ordinary), rel=1e-11)  # measured 1e-14

    def test_a_batch_is_a_loop(self, measure: Measure, generator: torch.Generator) -> None:
        stack = torch.randn(2, 3, 5, 8, dtype=torch.float64, generator=generator)
        batch = measure(spectrum(stack))
        assert batch.shape == (2, 3)
        loop = [value(measure, matrix) for matrix in stack.flatten(0, 1)]
        torch.testing.assert_close(batch.flatten(), torch.tensor(loop, dtype=torch.float64))

    def test_of_a_zero_matrix_is_zero(self, measure: Measure) -> None:
        s = spectrum(torch.zeros(3, 4))
        undefined = measure.name == "condition_number"
        assert measure(s).item() == pytest.approx(math.nan if undefined else 0.0, nan_ok=True)
        assert s.reasons == ["zero matrix"]

    def test_of_an_empty_matrix_is_zero(self, measure: Measure) -> None:
        assert measure(spectrum(torch.zeros(2, 0, 4))).tolist() == [0.0, 0.0]

    @pytest.mark.parametrize("bad", [math.nan, math.inf])
    def test_of_a_matrix_that_is_not_finite_is_nan(self, measure: Measure, bad: float) -> None:
        s = spectrum(torch.tensor([[1.0, bad]]))
        assert math.isnan(measure(s).item())
        assert s.reasons == ["matrix holds NaN or Inf"]


@given(st.lists(st.floats(-12, 0).map(lambda x: 10**x), min_size=1, max_size=40))
def test_order_of_the_ranks(values: list[float]) -> None:
    """1 ≤ st ≤ nr ≤ erank ≤ r: Rényi entropies of order ∞ (squared), 2 and 1 of one spectrum."""
    s = diagonal_spectrum(torch.tensor(values, dtype=torch.float64))
    chain = [1.0, *(f(s).item() for f in (stable_rank, nuclear_rank, effective_rank)), len(values)]
    assert all(low <= high * (1 + 1e-12) for low, high in itertools.pairwise(chain))


class TestConditionNumber:
    def test_is_unresolved_where_the_smallest_value_drowns_in_its_error(
        self, generator: torch.Generator
    ) -> None:
        matrix = with_values(low_rank(16), 16, 40, generator)
        assert condition_number(spectrum(matrix)).isnan()
        assert spectrum(matrix).reasons == [None]

    def test_is_unresolved_within_a_hundred_errors(self) -> None:
        values, ok = torch.tensor([1.0, 0.5], dtype=torch.float64), torch.tensor(0).to(torch.int8)
        for error, expected in ((0.0049, 2.0), (0.0051, math.nan)):
            bound = torch.full_like(values, error)
            got = condition_number(Spectrum(values, bound, (2, 2), "test", ok)).item()
            assert got == pytest.approx(expected, nan_ok=True)
