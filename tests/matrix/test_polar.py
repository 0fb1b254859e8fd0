"""Polar factors against the SVD, against each other, and against torch's own Muon."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from spectrain.core import InputError
from spectrain.matrix import MEASURES, PolarFactor, newton_schulz, polar, residual, spectrum
from spectrain.matrix.polar import CUBIC, POLAR_EXPRESS, POLAR_EXPRESS_MARGIN, QUINTIC, Iteration
from support.prescribed import SPECTRA, exponential, flat, low_rank, with_values

ITERATIONS: list[Iteration] = ["quintic", "cubic", "polar_express"]
SHAPES = [(24, 24), (24, 100), (100, 24), (1, 50), (50, 1)]


def naive(values: Tensor, iteration: Iteration, steps: int) -> Tensor:
    """What the iteration makes of singular values with sum of squares 1, one value at a time."""
    results = []
    for value in values.tolist():
        x = value / (POLAR_EXPRESS_MARGIN if iteration == "polar_express" else 1.0)
        for step in range(steps):
            if iteration == "polar_express":
                a, b, c = POLAR_EXPRESS[min(step, len(POLAR_EXPRESS) - 1)]
                y = x / POLAR_EXPRESS_MARGIN if step < steps - 1 else x
            else:
                a, b, c = QUINTIC if iteration == "quintic" else CUBIC
                y = x
            x = a * y + b * y**3 + c * y**5
        results.append(x)
    return torch.tensor(results, dtype=torch.float64)


class TestPolar:
    @pytest.mark.parametrize("shape", SHAPES, ids=str)
    def test_is_the_isometry_of_the_svd(
        self, shape: tuple[int, int], generator: torch.Generator
    ) -> None:
        matrix = torch.randn(shape, dtype=torch.float64, generator=generator)
        u, _, vh = torch.linalg.svd(matrix, full_matrices=False)
        result = polar(matrix)
        torch.testing.assert_close(result.factor, u @ vh, rtol=0, atol=1e-13)
        assert result.residual < 1e-14  # measured 2e-15
        assert result.method == "svd/float64"

    @pytest.mark.parametrize("prescribed", SPECTRA)
    def test_cosine_of_the_angle_to_the_matrix(
        self, prescribed: str, generator: torch.Generator
    ) -> None:
        """cos∠(G, polar G) = √(nr(G)/r), r the rank."""
        values = SPECTRA[prescribed](24)
        matrix = with_values(values, 24, 60, generator)
        factor = polar(matrix).factor
        cosine = (matrix * factor).sum() / (matrix.norm() * factor.norm())
        nuclear_rank = MEASURES["nuclear_rank"](spectrum(matrix))
        rank = int((values > 0).sum())
        assert cosine.item() == pytest.approx(math.sqrt(nuclear_rank / rank), rel=1e-12)

    @pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
    def test_directions_that_are_zero_up_to_rounding_are_left_out(
        self, dtype: torch.dtype, generator: torch.Generator
    ) -> None:
        matrix = with_values(low_rank(24), 24, 60, generator).to(dtype)
        result = polar(matrix)
        values = torch.linalg.svdvals(result.factor.double())
        assert values[:3].min() > 1 - 1e-6
        assert values[3:].max() < 1e-6
        assert result.residual.item() == pytest.approx(math.sqrt(21 / 24), rel=1e-6)

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
    def test_half_precision_keeps_ordinary_directions(
        self, dtype: torch.dtype, generator: torch.Generator
    ) -> None:
        matrix = torch.randn(64, 64, generator=generator).to(dtype)
        result = polar(matrix)
        assert result.factor.dtype == dtype
        values = torch.linalg.svdvals(result.factor.double())
        assert (values - 1).abs().max() < 4 * torch.finfo(dtype).eps  # measured 0.3 eps

    def test_a_batch_is_a_loop(self, generator: torch.Generator) -> None:
        stack = torch.randn(2, 3, 5, 8, dtype=torch.float64, generator=generator)
        batch = polar(stack)
        assert batch.residual.shape == (2, 3)
        torch.testing.assert_close(batch.factor[1, 2], polar(stack[1, 2]).factor)


class TestNewtonSchulz:
    @pytest.mark.parametrize("iteration", ITERATIONS)
    @pytest.mark.parametrize("steps", [1, 3, 5, 10])
    @pytest.mark.parametrize("prescribed", SPECTRA)
    def test_acts_on_each_singular_value_by_its_polynomials(
        self, iteration: Iteration, steps: int, prescribed: str, generator: torch.Generator
    ) -> None:
        values = SPECTRA[prescribed](20)
        u = torch.linalg.qr(torch.randn(20, 20, dtype=torch.float64, generator=generator)).Q
        v = torch.linalg.qr(torch.randn(30, 20, dtype=torch.float64, generator=generator)).Q
        factor = newton_schulz((u * values) @ v.mT, iteration=iteration, steps=steps).factor
        expected = (u * naive(values / values.norm(), iteration, steps)) @ v.mT
        torch.testing.assert_close(factor, expected, rtol=0, atol=1e-10)  # measured 9e-12

    @pytest.mark.parametrize(
        ("iteration", "steps", "tolerance"),
        [("cubic", 20, 1e-12), ("polar_express", 8, 1e-12)],  # measured 7e-15 and 7e-15
    )
    @pytest.mark.parametrize("shape", [(24, 24), (24, 100), (100, 24)], ids=str)
    def test_converges_to_the_polar_factor(
        self,
        iteration: Iteration,
        steps: int,
        tolerance: float,
        shape: tuple[int, int],
        generator: torch.Generator,
    ) -> None:
        matrix = with_values(exponential(24, decades=2), *shape, generator)
        result = newton_schulz(matrix, iteration=iteration, steps=steps)
        torch.testing.assert_close(result.factor, polar(matrix).factor, rtol=0, atol=tolerance)
        assert result.residual < 10 * tolerance

    def test_polar_express_beats_the_quintic_at_equal_cost(
        self, generator: torch.Generator
    ) -> None:
        matrix = with_values(exponential(24, decades=2), 24, 40, generator)
        quintic, express = (
            newton_schulz(matrix, iteration=i) for i in ("quintic", "polar_express")
        )
        assert express.residual < 0.6 * quintic.residual  # measured 0.17 and 0.35

    def test_five_quintic_steps_do_not_reach_one(self) -> None:
        """0.68–1.13 for a tall Gaussian; of a square one the small values stay small."""
        ranges = {}
        for shape in ((256, 64), (64, 64)):
            factors = [
                newton_schulz(torch.randn(shape, generator=torch.Generator().manual_seed(seed)))
                for seed in range(10)
            ]
            values = torch.linalg.svdvals(torch.stack([f.factor for f in factors]).double())
            ranges[shape] = (values.min().item(), values.max().item())
        assert ranges[256, 64] == pytest.approx((0.68, 1.13), abs=0.01)  # measured 0.682, 1.134
        assert ranges[64, 64][0] < 0.1  # measured 0.04
        assert ranges[64, 64][1] == pytest.approx(1.20, abs=0.01)  # measured 1.202

    @pytest.mark.parametrize("iteration", ITERATIONS)
    def test_directions_that_are_exactly_zero_stay_zero(self, iteration: Iteration) -> None:
        matrix = torch.zeros(6, 8)
        matrix[0, 0], matrix[1, 1] = 3.0, 1.0
        factor = newton_schulz(matrix, iteration=iteration, steps=10).factor
        assert factor[2:].abs().max() == 0.0
        assert factor[:, 2:].abs().max() == 0.0
        assert factor.diagonal()[:2].min() > 0.6

    @pytest.mark.parametrize("iteration", ITERATIONS)
    @pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
    def test_wide_is_tall_transposed(
        self, iteration: Iteration, dtype: torch.dtype, generator: torch.Generator
    ) -> None:
        matrix = torch.randn(10, 30, generator=generator).to(dtype)
        wide = newton_schulz(matrix, iteration=iteration)
        tall = newton_schulz(matrix.mT, iteration=iteration)
        assert tall.factor.shape == (30, 10)
        torch.testing.assert_close(wide.factor, tall.factor.mT)
        torch.testing.assert_close(wide.residual, tall.residual)

    def test_a_batch_is_a_loop(self, generator: torch.Generator) -> None:
        stack = torch.randn(2, 3, 5, 8, dtype=torch.float64, generator=generator)
        batch = newton_schulz(stack)
        assert batch.residual.shape == (2, 3)
        torch.testing.assert_close(batch.factor[1, 2], newton_schulz(stack[1, 2]).factor)

    def test_products_in_bfloat16(self, generator: torch.Generator) -> None:
        matrix = torch.randn(64, 256, generator=generator)
        half = newton_schulz(matrix, dtype=torch.bfloat16)
        assert half.factor.dtype == torch.float32
        assert half.factor.equal(half.factor.bfloat16().float())
        assert half.method == "quintic×5/bfloat16"
        distance = (half.factor - newton_schulz(matrix).factor).norm() / half.factor.norm()
        assert distance < 0.05  # measured 0.014

    @pytest.mark.parametrize("shape", [(64, 64), (64, 256), (256, 64), (1, 32)], ids=str)
    def test_agrees_with_the_muon_of_torch(
        self, shape: tuple[int, int], generator: torch.Generator
    ) -> None:
        muon = pytest.importorskip("torch.optim._muon")
        gradient = torch.randn(shape, generator=generator)
        theirs = muon._zeropower_via_newtonschulz(gradient, QUINTIC, ns_steps=5, eps=1e-7)
        ours = newton_schulz(gradient, dtype=torch.bfloat16)
        torch.testing.assert_close(ours.factor, theirs.float(), rtol=0, atol=0.02)  # measured 0

    @pytest.mark.parametrize(
        ("size", "dtype"), [(1e30, torch.float32), (1e-30, torch.float32), (1e200, torch.float64)]
    )
    def test_any_scale(self, size: float, dtype: torch.dtype, generator: torch.Generator) -> None:
        matrix = torch.randn(8, 12, dtype=dtype, generator=generator)
        torch.testing.assert_close(
            newton_schulz(matrix * size).factor, newton_schulz(matrix).factor
        )

    def test_needs_a_step(self) -> None:
        with pytest.raises(InputError, match="0 Newton-Schulz steps; take at least one"):
            newton_schulz(torch.eye(2), steps=0)


class TestResidual:
    def test_is_its_definition(self, generator: torch.Generator) -> None:
        """‖FᵀF − I‖_F/√r, transcribed with explicit loops, for both orientations."""
        factor = torch.randn(3, 5, dtype=torch.float64, generator=generator)
        total = 0.0
        for i in range(3):
            for j in range(3):
                product = sum(factor[i, k].item() * factor[j, k].item() for k in range(5))
                total += (product - (i == j)) ** 2
        expected = math.sqrt(total / 3)
        assert residual(factor).item() == pytest.approx(expected, rel=1e-13)
        assert residual(factor.mT).item() == pytest.approx(expected, rel=1e-13)

    def test_of_an_isometry_is_zero_and_of_zero_is_one(self, generator: torch.Generator) -> None:
        assert residual(with_values(flat(4), 4, 9, generator)).item() < 1e-14
        assert residual(torch.zeros(4, 9)).item() == 1.0


@pytest.mark.parametrize("function", [polar, newton_schulz])
class TestBadAndEmptyInput:
    @pytest.mark.parametrize("bad", [math.nan, math.inf])
    def test_not_finite(self, function: Callable[[Tensor], PolarFactor], bad: float) -> None:
        with pytest.raises(InputError, match="the matrix holds NaN or Inf; skip the step"):
            function(torch.tensor([[1.0, bad]]))

    @pytest.mark.parametrize("shape", [(0, 3), (3, 0), (2, 0, 3), (0, 3, 3)], ids=str)
    def test_empty(self, function: Callable[[Tensor], PolarFactor], shape: tuple[int, ...]) -> None:
        result = function(torch.zeros(shape))
        assert result.factor.shape == shape
        assert result.residual.shape == shape[:-2]

    def test_zero(self, function: Callable[[Tensor], PolarFactor]) -> None:
        result = function(torch.zeros(3, 4))
        assert result.factor.abs().max() == 0.0
        assert result.residual.item() == 1.0
