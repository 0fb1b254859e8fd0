"""Back ends against LAPACK's float64 SVD, over prescribed spectra, shapes, dtypes and extremes."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from spectrain.core import InputError
from spectrain.matrix import (
    MEASURES,
    Spectrum,
    SpectrumStatus,
    backends,
    diagonal_spectrum,
    effective_rank,
    gram_spectrum,
    nuclear_norm,
    nuclear_rank,
    spectrum,
    stable_rank,
)
from spectrain.matrix.backends import Method
from support.prescribed import SPECTRA, exponential, low_rank, with_values, zero

SHAPES = [(1, 1), (1, 50), (50, 1), (24, 24), (24, 100), (100, 24), (64, 64)]
METHODS: list[Method] = ["auto", "exact", "gram"]


def reference(matrix: Tensor) -> Spectrum:
    """LAPACK's float64 SVD of the matrix as it stands, as the spectrum of a diagonal."""
    return diagonal_spectrum(torch.linalg.svdvals(matrix.double()))


def own_error(matrix: Tensor) -> float:
    """Round-off of the reference relative to σ₁; measured 0.1–0.4·√n·u, n the longer side."""
    return math.sqrt(max(matrix.shape[-2:])) * torch.finfo(torch.float64).eps


def relative(value: Tensor, expected: Tensor) -> float:
    return ((value - expected).abs() / expected).max().item()


def assert_within_error(s: Spectrum, matrix: Tensor) -> None:
    expected = reference(matrix).values
    slack = own_error(matrix) * expected[..., :1]
    assert ((s.values - expected).abs() <= s.error + slack).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("prescribed", SPECTRA)
class TestPrescribedSpectra:
    def test_float64_returns_the_prescribed_values(
        self, prescribed: str, shape: tuple[int, int], method: Method, generator: torch.Generator
    ) -> None:
        values = SPECTRA[prescribed](min(shape))
        matrix = with_values(values, *shape, generator)
        s = spectrum(matrix, method=method)
        slack = 4 * own_error(matrix) * values[0]  # of the construction
        assert ((s.values - values).abs() <= s.error + slack).all()
        assert (s.values.diff() <= 0).all()
        assert s.shape == shape
        assert s.method == ("exact/float64" if method == "exact" else "gram/float64")

    def test_float32_input_meets_the_wanted_accuracy(
        self, prescribed: str, shape: tuple[int, int], method: Method, generator: torch.Generator
    ) -> None:
        matrix = with_values(SPECTRA[prescribed](min(shape)), *shape, generator).float()
        s, expected = spectrum(matrix, method=method), reference(matrix)
        assert_within_error(s, matrix)
        # wanted 2e-6; measured 1.2e-13 and 8e-13
        assert relative(nuclear_norm(s), nuclear_norm(expected)) < 1e-11
        assert relative(effective_rank(s), effective_rank(expected)) < 1e-11
        # wanted 1e-5; measured 4e-15
        assert relative(stable_rank(s), stable_rank(expected)) < 1e-13

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
    def test_rtol_holds_where_float32_is_allowed(
        self,
        prescribed: str,
        shape: tuple[int, int],
        method: Method,
        dtype: torch.dtype,
        generator: torch.Generator,
    ) -> None:
        matrix = with_values(SPECTRA[prescribed](min(shape)), *shape, generator).to(dtype)
        s, expected = spectrum(matrix, method=method, rtol=0.05), reference(matrix)
        assert_within_error(s, matrix)
        # measured 8e-7 and 1e-6 with float32, 3e-7 and 6e-6 after float64
        assert relative(nuclear_norm(s), nuclear_norm(expected)) < 1e-3
        assert relative(effective_rank(s), effective_rank(expected)) < 1e-3


@pytest.mark.parametrize("prescribed", ["exponential", "low_rank", "rank_one"])
def test_float32_gram_is_refused_where_it_would_err(
    prescribed: str, generator: torch.Generator
) -> None:
    matrix = with_values(SPECTRA[prescribed](64), 64, 128, generator).float()
    unbounded = torch.linalg.eigvalsh(matrix @ matrix.mT).clamp_min(0).sqrt().double()
    naive = effective_rank(diagonal_spectrum(unbounded))
    assert relative(naive, effective_rank(reference(matrix))) > 2e-3  # measured 0.3–3 %
    assert spectrum(matrix, rtol=0.05).method == "gram/float64"


@pytest.mark.parametrize("prescribed", ["flat", "power_law"])
def test_float32_gram_is_taken_where_its_bound_meets_rtol(
    prescribed: str, generator: torch.Generator
) -> None:
    matrix = with_values(SPECTRA[prescribed](24), 24, 100, generator).float()
    assert spectrum(matrix, rtol=0.05).method == "gram/float32"
    assert spectrum(matrix, rtol=1e-6).method == "gram/float64"
    assert spectrum(matrix.double(), rtol=0.05).method == "gram/float64"


@pytest.mark.parametrize(
    ("rtol", "method"), [(1e-6, "gram/float64"), (1e-10, "gram/float64"), (1e-15, "exact/float64")]
)
def test_the_svd_takes_over_where_the_gram_bound_misses_rtol(
    rtol: float, method: Method, generator: torch.Generator
) -> None:
    matrix = with_values(exponential(24, decades=15), 24, 24, generator)
    once = torch.linalg.eigvalsh(matrix @ matrix.mT).flip(-1).clamp_min(0).sqrt()
    s, expected = spectrum(matrix, rtol=rtol), reference(matrix)
    assert s.method == method
    assert (once - expected.values).abs().max() > 1e-9  # measured 4e-9
    assert (s.values - expected.values).abs().max() < 1e-14  # measured 1e-15


@st.composite
def matrices(draw: st.DrawFn) -> Tensor:
    """Any spectrum over up to 20 decades, with clusters and exact zeros, in any dtype."""
    m, n = draw(st.integers(1, 20)), draw(st.integers(1, 40))
    r = min(m, n)
    exponents = st.floats(-20, 0) | st.sampled_from([-1.0, -3.85, -3.95, -8.0, -13.0])
    values = torch.tensor(
        [draw(st.just(0.0) | exponents.map(lambda x: 10**x)) for _ in range(r)],
        dtype=torch.float64,
    )
    values[0] = 1.0
    seed = draw(st.integers(0, 2**32))
    matrix = with_values(values, m, n, torch.Generator().manual_seed(seed))
    return matrix.to(draw(st.sampled_from([torch.float64, torch.float32, torch.bfloat16])))


def beside_a_gap() -> Tensor:
    """Half the values just large enough for the first Gram matrix, half far below."""
    values = torch.tensor([1.0] + [1.3e-4] * 15 + [1e-13] * 16, dtype=torch.float64)
    return with_values(values, 32, 100, torch.Generator().manual_seed(1))


@given(matrix=matrices(), method=st.sampled_from(METHODS), rtol=st.sampled_from([1e-2, 1e-6]))
@example(matrix=beside_a_gap(), method="gram", rtol=1e-6)
def test_error_bounds_contain_the_true_error(matrix: Tensor, method: Method, rtol: float) -> None:
    assert_within_error(spectrum(matrix, method=method, rtol=rtol), matrix)


@given(matrix=matrices(), rtol=st.sampled_from([1e-2, 1e-4, 1e-6, 1e-9]))
def test_auto_meets_any_rtol(matrix: Tensor, rtol: float) -> None:
    s, expected = spectrum(matrix, rtol=rtol), reference(matrix)
    assert relative(nuclear_norm(s), nuclear_norm(expected)) <= rtol
    assert relative(effective_rank(s), effective_rank(expected)) <= rtol


@pytest.mark.parametrize("shape", [(1, 10**6), (2, 10**5)], ids=str)
def test_the_bound_covers_long_sums(shape: tuple[int, int], generator: torch.Generator) -> None:
    """The round-off of a Gram matrix grows with the number of summed terms."""
    matrix = torch.randn(shape, generator=generator)
    wide = matrix.double()
    blocks = sum(block @ block.mT for block in wide.split(1000, dim=1))
    expected = torch.linalg.eigvalsh(blocks).flip(-1).sqrt()
    s = spectrum(matrix, method="gram", rtol=0.05)
    assert s.method == "gram/float32"
    assert ((s.values - expected).abs() <= s.error).all()  # measured 0.3–2 % of the bound


@pytest.mark.parametrize("method", METHODS)
def test_a_batch_is_a_loop(method: Method, generator: torch.Generator) -> None:
    stack = torch.stack(
        [with_values(make(12), 12, 30, generator) for make in (*SPECTRA.values(), zero)]
    )
    batch = spectrum(stack.reshape(-1, 1, 12, 30), method=method)
    assert batch.values.shape == batch.error.shape == (len(stack), 1, 12)
    for number, matrix in enumerate(stack):
        one = batch[number]
        alone = spectrum(matrix, method=method)
        assert one.reasons == alone.reasons
        tolerance = alone.error.clamp_min(1e-300)
        assert ((one.values[0] - alone.values).abs() <= tolerance).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("method", METHODS)
def test_half_precision_is_read_exactly(
    dtype: torch.dtype, method: Method, generator: torch.Generator
) -> None:
    half = torch.randn(16, 20, generator=generator).to(dtype)
    torch.testing.assert_close(
        spectrum(half, method=method).values, spectrum(half.double(), method=method).values
    )


@pytest.mark.parametrize("method", METHODS)
class TestExtremes:
    @pytest.mark.parametrize(
        ("size", "dtype"),
        [
            (1e200, torch.float64),
            (1e-200, torch.float64),
            (1e307, torch.float64),
            (1e30, torch.float32),
            (1e38, torch.float32),
            (1e-30, torch.float32),
            (1e-42, torch.float32),
            (1e30, torch.bfloat16),
        ],
    )
    @pytest.mark.parametrize("rtol", [1e-2, 1e-6])
    def test_huge_and_tiny_matrices_are_ordinary(
        self,
        size: float,
        dtype: torch.dtype,
        rtol: float,
        method: Method,
        generator: torch.Generator,
    ) -> None:
        ordinary = torch.rand(6, 9, dtype=torch.float64, generator=generator)
        matrix = (ordinary * size).to(dtype)
        s = spectrum(matrix, method=method, rtol=rtol)
        twin = spectrum(matrix.double() / size, method=method, rtol=rtol)
        assert s.reasons == [None]
        for name, measure in MEASURES.items():
            scale = size if measure.unit == "unit of A" else 1.0
            assert measure(s).item() / scale == pytest.approx(measure(twin).item(), rel=1e-5), name

    @pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
    @pytest.mark.parametrize("rtol", [1e-2, 1e-6])
    def test_the_largest_and_the_smallest_number(
        self, dtype: torch.dtype, rtol: float, method: Method
    ) -> None:
        info = torch.finfo(dtype)
        for number in (info.max, info.smallest_normal, info.smallest_normal * info.eps):
            s = spectrum(torch.tensor([[number]], dtype=dtype), method=method, rtol=rtol)
            assert s.values.item() == pytest.approx(number, rel=1e-6)

    @pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
    def test_not_finite(self, bad: float, method: Method, generator: torch.Generator) -> None:
        stack = torch.randn(2, 4, 5, generator=generator)
        stack[1, 2, 3] = bad
        s = spectrum(stack, method=method)
        assert s.reasons == [None, "matrix holds NaN or Inf"]
        assert s.values[1].isnan().all()
        torch.testing.assert_close(s.values[0], spectrum(stack[0]).values)

    def test_zero(self, method: Method) -> None:
        s = spectrum(torch.zeros(4, 5), method=method)
        assert s.reasons == ["zero matrix"]
        assert s.values.tolist() == s.error.tolist() == [0.0] * 4

    @pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0), (3, 0, 5)], ids=str)
    def test_empty(self, shape: tuple[int, ...], method: Method) -> None:
        s = spectrum(torch.zeros(shape), method=method)
        assert s.values.shape == (*shape[:-2], 0)
        assert s.reasons == ["empty matrix"] * math.prod(shape[:-2])

    def test_a_batch_of_none(self, method: Method) -> None:
        s = spectrum(torch.zeros(0, 3, 4), method=method)
        assert s.shape == (3, 4)
        assert s.reasons == []

    def test_the_gradient_graph_is_left_alone(self, method: Method) -> None:
        assert not spectrum(
            torch.ones(2, 2, requires_grad=True), method=method
        ).values.requires_grad


class TestDiagonalSpectrum:
    def test_equals_the_spectrum_of_the_dense_diagonal(self, generator: torch.Generator) -> None:
        gains = torch.randn(3, 20, generator=generator)
        s = diagonal_spectrum(gains)
        torch.testing.assert_close(s.values, spectrum(torch.diag_embed(gains)).values)
        assert s.shape == (20, 20)
        assert s.reasons == [None] * 3

    def test_diagonal_forms_of_the_criterion(self, generator: torch.Generator) -> None:
        g = torch.randn(20, dtype=torch.float64, generator=generator)
        s = diagonal_spectrum(g)
        torch.testing.assert_close(nuclear_rank(s), g.norm(p=1) ** 2 / g.norm() ** 2)
        torch.testing.assert_close(stable_rank(s), g.norm() ** 2 / g.abs().max() ** 2)

    def test_values_without_an_ordinary_spectrum(self) -> None:
        assert diagonal_spectrum(torch.zeros(3)).reasons == ["zero matrix"]
        assert diagonal_spectrum(torch.zeros(0)).reasons == ["empty matrix"]
        broken = diagonal_spectrum(torch.tensor([1.0, math.nan]))
        assert broken.reasons == ["matrix holds NaN or Inf"]
        assert broken.values.isnan().all()


class TestGramSpectrum:
    @pytest.mark.parametrize("columns", [3, 8, 500])
    @pytest.mark.parametrize("accumulated_in", [torch.float32, torch.float64], ids=str)
    def test_contains_the_spectrum_of_the_streamed_matrix(
        self, columns: int, accumulated_in: torch.dtype, generator: torch.Generator
    ) -> None:
        activations = torch.randn(8, columns, generator=generator)
        total = torch.zeros(8, 8, dtype=accumulated_in)
        for chunk in activations.to(accumulated_in).split(64, dim=1):
            total += chunk @ chunk.mT
        s = gram_spectrum(total, columns, accumulated_in=accumulated_in)
        assert_within_error(s, activations)
        assert s.shape == (8, columns)
        assert s.method == f"gram/{str(accumulated_in).removeprefix('torch.')}"

    @pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
    def test_any_scale(self, size: float, generator: torch.Generator) -> None:
        a = with_values(low_rank(8), 8, 20, generator) * size
        s = gram_spectrum(a @ a.mT, 20, accumulated_in=torch.float64)
        assert stable_rank(s).item() == pytest.approx(1.0, rel=1e-12)

    def test_values_without_an_ordinary_spectrum(self) -> None:
        grams = torch.stack([torch.eye(3), torch.zeros(3, 3), torch.full((3, 3), math.nan)])
        s = gram_spectrum(grams, 7, accumulated_in=torch.float32)
        assert s.reasons == [None, "zero matrix", "matrix holds NaN or Inf"]
        assert s.values[2].isnan().all()
        empty = gram_spectrum(torch.eye(3), 0, accumulated_in=torch.float32)
        assert empty.reasons == ["empty matrix"]


@pytest.mark.parametrize(
    ("rtol", "message"), [(0.0, "rtol is 0.0; pass a positive"), (math.nan, "rtol is nan")]
)
def test_a_bad_rtol_names_the_remedy(rtol: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        spectrum(torch.eye(2), rtol=rtol)


@pytest.mark.parametrize("filled", [0, 1, 3])
@pytest.mark.parametrize("wide", [False, True])
def test_a_long_table_with_few_rows_or_none_that_are_not_zero(filled: int, wide: bool) -> None:
    table = torch.zeros(400, 4)
    generator = torch.Generator().manual_seed(0)
    table[torch.arange(filled) * 100] = torch.randn(filled, 4, generator=generator)
    matrix = table.mT.contiguous() if wide else table
    found = spectrum(matrix)
    expected = torch.linalg.svdvals(matrix.double())
    torch.testing.assert_close(found.values, expected, rtol=0, atol=1e-14)  # seen: 7e-16
    assert found.status.item() == int(SpectrumStatus.OK if filled else SpectrumStatus.ZERO)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_gram_matrices_of_accelerators_are_those_of_processors(dtype, generator) -> None:
    """All at once against one by one, which only a processor takes."""
    flat = (
        torch.randn(3, 24, 40, generator=generator)
        * torch.tensor([1e-20, 1.0, 1e20])[:, None, None]
    )
    largest = flat.abs().amax((1, 2))
    (values, error), (expected, bound) = (
        one(flat, largest, dtype) for one in (backends._grams, backends._grams_on_cpu)
    )
    exact = torch.linalg.svdvals(flat.double())
    assert ((values - exact).abs() <= error).all()
    torch.testing.assert_close(values, expected, rtol=1e-4, atol=0)
    torch.testing.assert_close(error, bound, rtol=0.5, atol=0)
