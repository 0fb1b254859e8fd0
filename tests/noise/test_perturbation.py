"""First-order theory and the additive limit against simulation."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spectrain.core import InputError
from spectrain.noise import (
    Triples,
    additive,
    additive_overlaps,
    align,
    first_order_overlaps,
    mixing,
    multiplicative,
    multiplicative_overlaps,
    proportional,
    saturated,
    structured_variance,
    top_triples,
)
from spectrain.rmt import SpikedMatrix

SIGMA = torch.tensor([5.0, 3.0, 2.0], dtype=torch.float64)
SHAPE = (12, 18)


def embedded(values: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """A matrix whose singular vectors are the unit vectors."""
    g = torch.zeros(shape, dtype=values.dtype)
    g[range(len(values)), range(len(values))] = values
    return g


def measured_deviations(
    replicas: torch.Tensor, values: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """1 − c² (left, right), averaged over replicas, against the unit vectors."""
    m, n = replicas.shape[1:]
    k = len(values)
    truth = Triples(
        torch.eye(m, dtype=values.dtype)[:, :k],
        values,
        torch.eye(n, dtype=values.dtype)[:, :k],
        torch.zeros_like(values),
    )
    found = [align(top_triples(g, min(k + 2, m, n)), truth) for g in replicas]
    left = torch.stack([one.left for one in found]).square().mean(0)
    right = torch.stack([one.right for one in found]).square().mean(0)
    return 1 - left, 1 - right


def test_mixing_is_the_derivative_of_the_singular_vectors(generator: torch.Generator) -> None:
    g = embedded(SIGMA, SHAPE)
    delta = torch.randn(SHAPE, generator=generator, dtype=torch.float64)
    alpha, beta = mixing(delta, SIGMA)
    step = 1e-6
    u, _, vh = torch.linalg.svd(g + step * delta, full_matrices=False)
    sign = torch.sign(u.diagonal())
    turned = (u * sign)[:, :3] - torch.eye(12, dtype=torch.float64)[:, :3]
    torch.testing.assert_close(turned / step, alpha, atol=1e-4, rtol=0.0)  # measured 2e-6
    turned = (vh.mT * sign)[:, :3] - torch.eye(18, dtype=torch.float64)[:, :3]
    torch.testing.assert_close(turned / step, beta, atol=1e-4, rtol=0.0)


@given(seed=st.integers(0, 20))
def test_overlaps_are_the_second_moments_of_mixing(seed: int) -> None:
    """Monte Carlo over the coefficients themselves, with correlated Δ_ij and Δ_ji."""
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(4000, 4, 5, generator=generator, dtype=torch.float64)
    z[:, 1, 0] = 0.6 * z[:, 0, 1] + 0.8 * z[:, 1, 0]
    values = torch.tensor([3.0, 1.5], dtype=torch.float64)
    covariance = torch.tensor([[0.0, 0.6], [0.6, 0.0]], dtype=torch.float64)
    left, right = first_order_overlaps(values, torch.ones(4, 5, dtype=torch.float64), covariance)
    alpha, beta = mixing(z, values)
    for coefficients, overlap in ((alpha, left), (beta, right)):
        sums = coefficients.square().sum(1)
        error = sums.std(0) / 4000**0.5
        assert ((sums.mean(0) - (1 - overlap)).abs() < 5 * error).all()


class TestFirstOrder:
    """1 − c² at strength 0.01: the formula within 5 % of a simulation (acceptance test 9)."""

    STRENGTH = 0.01
    REPLICAS = 1500  # standard error of a mean of χ²₁₁: √(2/11/1500) = 1.1 %

    def check(self, replicas: torch.Tensor, theory: tuple[torch.Tensor, torch.Tensor]) -> None:
        for found, overlap in zip(measured_deviations(replicas, SIGMA), theory, strict=True):
            assert ((found / (1 - overlap) - 1).abs() < 0.05).all()

    def test_additive(self, generator: torch.Generator) -> None:
        x = additive(
            embedded(SIGMA, SHAPE), replicas=self.REPLICAS, generator=generator, row_std=0.02
        )
        self.check(x, additive_overlaps(SIGMA, SHAPE, 0.02**2))

    @pytest.mark.parametrize("model", [multiplicative, proportional])
    def test_left_and_right(self, model, generator: torch.Generator) -> None:
        strengths: dict[str, Any] = {"left": self.STRENGTH, "right": 2 * self.STRENGTH}
        x = model(embedded(SIGMA, SHAPE), replicas=self.REPLICAS, generator=generator, **strengths)
        self.check(x, multiplicative_overlaps(SIGMA, SHAPE, **strengths))

    def test_symmetric(self, generator: torch.Generator) -> None:
        x = multiplicative(
            embedded(SIGMA, SHAPE),
            replicas=self.REPLICAS,
            generator=generator,
            left=self.STRENGTH,
            symmetry="symmetric",
        )
        theory = multiplicative_overlaps(SIGMA, SHAPE, left=self.STRENGTH, symmetry="symmetric")
        self.check(x, theory)

    def test_antisymmetric_noise_ignores_gaps(self, generator: torch.Generator) -> None:
        x = multiplicative(
            embedded(SIGMA, SHAPE),
            replicas=self.REPLICAS,
            generator=generator,
            left=self.STRENGTH,
            symmetry="antisymmetric",
        )
        left, right = measured_deviations(x, SIGMA)
        assert ((left / (11 * self.STRENGTH**2) - 1).abs() < 0.05).all()
        assert (right < 0.01 * left).all()

    def test_structured(self, generator: torch.Generator) -> None:
        rows = torch.linspace(0.005, 0.03, 12, dtype=torch.float64)
        columns = torch.linspace(0.5, 1.5, 18, dtype=torch.float64)
        u = torch.linalg.qr(torch.randn(12, 12, generator=generator, dtype=torch.float64)).Q
        v = torch.linalg.qr(torch.randn(18, 18, generator=generator, dtype=torch.float64)).Q
        g = u @ embedded(SIGMA, SHAPE) @ v.mT
        x = additive(
            g, replicas=self.REPLICAS, generator=generator, row_std=rows, column_std=columns
        )
        variance, covariance = structured_variance(u, v, rows, columns)
        self.check(u.mT @ x @ v, first_order_overlaps(SIGMA, variance, covariance[:3, :3]))

    def test_an_isolated_mode_plateaus_under_multiplicative_noise_only(self) -> None:
        for scale in (1.0, 100.0):
            values = torch.tensor([scale], dtype=torch.float64)
            flat, _ = multiplicative_overlaps(values, SHAPE, left=0.01)
            falling, _ = additive_overlaps(values, SHAPE, 0.01**2)
            assert 1 - flat.item() == pytest.approx(11e-4)
            assert 1 - falling.item() == pytest.approx(11e-4 / scale**2)


def test_scaling_of_the_gradient_changes_nothing() -> None:
    """The printed overlap formula, Δ²/σ⁴, would change by a factor of a hundred."""
    for left, scaled in zip(
        additive_overlaps(SIGMA, SHAPE, 0.01),
        additive_overlaps(10 * SIGMA, SHAPE, 1.0),
        strict=True,
    ):
        torch.testing.assert_close(left, scaled)


SPIKED = SpikedMatrix((300, 600), 1 / 600)


def test_spiked_overlaps_agree_with_a_simulation(generator: torch.Generator) -> None:
    """Acceptance test 9: m = 300, n = 600, θ = 1.5, s² = 1/600, within 0.02."""
    theta = torch.tensor([1.5])
    signal = embedded(theta, (300, 600))
    x = additive(signal, replicas=12, generator=generator, row_std=600**-0.5)
    theory = SPIKED.left_overlap(1.5), SPIKED.right_overlap(1.5)
    for found, overlap in zip(measured_deviations(x, theta), theory, strict=True):
        assert abs(1 - found.item() - overlap) < 0.02  # measured 0.004, 0.007


def test_spiked_overlaps_reduce_to_first_order() -> None:
    values = torch.tensor([30.0], dtype=torch.float64)
    for exact, first in zip(
        (SPIKED.left_overlap(30.0), SPIKED.right_overlap(30.0)),
        additive_overlaps(values, (300, 600), 1 / 600),
        strict=True,
    ):
        assert abs((1 - float(exact)) / (1 - first.item()) - 1) < 5e-3


def test_saturation_beyond_first_order(generator: torch.Generator) -> None:
    """Strong left noise on an isolated mode: c_L² ≈ 1/(1 + (m−1)a²), not 1 − (m−1)a²."""
    values = torch.tensor([1.0], dtype=torch.float64)
    x = multiplicative(embedded(values, (200, 10)), replicas=200, generator=generator, left=0.1)
    left, _ = measured_deviations(x, values)
    assert abs(1 - left.item() - saturated(torch.tensor(199 * 0.01)).item()) < 0.02
    assert 1 - 199 * 0.01 < 0


@pytest.mark.parametrize("values", [[1.0, 1.0], [1.0, 0.0]])
def test_no_theory_for_degenerate_values(values: list[float]) -> None:
    with pytest.raises(InputError, match="repeated"):
        additive_overlaps(torch.tensor(values), (3, 3), 0.1)
