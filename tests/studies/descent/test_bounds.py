"""Formulas of §2 against their definitions."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest
import torch

from spectrain.matrix import spectrum, stable_rank
from spectrain_studies.descent.activations import (
    ACTIVATIONS,
    gelu_second_moment,
    printed_gelu_alpha,
    relu_second_moment,
)
from spectrain_studies.descent.blocks.experiment import block_bounds, decoder_block
from spectrain_studies.descent.blocks.perturbed_norms import (
    DIRECTIONS,
    PerturbedNorm,
    fixed_pair,
    run_perturbed_norm,
)
from spectrain_studies.descent.blocks.tokens import indicators, zipf, zipf_exponent
from spectrain_studies.descent.draws import (
    KINDS,
    effective_rank,
    fixed_weights,
    rms_norm,
    stable_ranks,
)
from spectrain_studies.descent.feedforward.moments import Moments, run_moments
from spectrain_studies.descent.feedforward.one_layer import SmallLayer
from spectrain_studies.descent.feedforward.one_layer import run_small_layer as small_layer
from spectrain_studies.descent.feedforward.squares import (
    Squares,
    identity_rank,
    log_bound,
    printed_samples,
    proven_samples,
    run_squares,
)
from spectrain_studies.descent.sampling.experiment import Law
from spectrain_studies.descent.sampling.small_ball import SmallBall, rare_stable_ranks


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("variance", [0.25, 4.0])
def test_moments_are_those_of_quadrature_and_of_draws(name: str, variance: float) -> None:
    """Largest relative deviation of the closed forms from quadrature: 2e-12."""
    found = run_moments(Moments(name, variance, 200_000))
    assert found["deviation"] < 1e-9
    assert abs(found["drawn"] - found["noise_to_signal"]) < 4 * found["drawn_error"]


def test_noise_to_signal_ratios_at_unit_variance() -> None:
    one = np.array([1.0])
    ratios = {name: each.noise_to_signal(one) for name, each in ACTIVATIONS.items()}
    expected = {"abs": 1.5708, "relu": 3.1416, "relu2": 6.0, "gelu": 5.3435}
    assert {name: round(ratios[name], 4) for name in expected} == expected
    assert ACTIVATIONS["gelu"].bound(1.0) == pytest.approx(12.566, abs=1e-3)


def test_the_printed_constant_of_gelu_is_too_large_above_one_and_safe_below() -> None:
    for variance in (0.5, 2.0):
        share = ACTIVATIONS["gelu"].mean(np.array([variance])).item() ** 2 / variance
        assert (printed_gelu_alpha(variance) > share) == (variance > 1)


def test_second_moment_of_gelu_at_the_ends() -> None:
    assert gelu_second_moment(np.array([1e-8])).item() == pytest.approx(0.25e-8, rel=1e-3)  # (t/2)²
    assert gelu_second_moment(np.array([1e8])).item() == pytest.approx(0.5e8, rel=1e-3)  # ReLU


def test_second_moment_of_relu_features_is_that_of_draws() -> None:
    """Largest deviation at 400,000 draws: 0.006."""
    w = torch.randn(4, 3, dtype=torch.float64, generator=seeded())
    z = (torch.randn(400_000, 3, dtype=torch.float64, generator=seeded(1)) @ w.mT).relu()
    assert torch.allclose(z.mT @ z / len(z), relu_second_moment(w), atol=0.02)


@pytest.mark.parametrize("kind", ["gaussian", "relu"])
def test_laws_have_their_second_moment(kind: str) -> None:
    law = Law(kind, 3)
    z = law.draw(200_000, seeded())
    assert torch.allclose(z.mT @ z / len(z), law.second_moment(), atol=0.02)


def test_the_heavy_law_has_its_variance_and_no_fourth_moment() -> None:
    law = Law("heavy", 4)
    z = law.draw(200_000, seeded())
    assert z.square().mean().item() == pytest.approx(law.second_moment()[0, 0].item(), rel=0.1)
    assert z.square().square().mean() > 20 * z.square().mean().square()


def test_stable_ranks_are_those_of_the_spectrum() -> None:
    stack = torch.randn(3, 5, 4, dtype=torch.float64, generator=seeded())
    assert torch.allclose(stable_ranks(stack), stable_rank(spectrum(stack)))
    assert effective_rank(stack.mT @ stack).shape == (3,)


def test_the_rare_law_is_counted_as_its_matrix_would_be() -> None:
    """An explicit sample of it: spikes and coordinate vectors."""
    case = SmallBall(0.1, "corrected", trials=2)
    ranks = rare_stable_ranks(case, seeded())
    assert case.bound == 40.0
    assert ((ranks > 1) & (ranks < 4)).all()  # er(M) = 2
    assert rare_stable_ranks(SmallBall(0.1, "printed", 20), seeded()).max() > case.bound


def test_copied_columns_change_no_stable_rank() -> None:
    found = small_layer(SmallLayer(8, 20_000))
    assert found["failed"] > 0
    assert found["still"] == found["failed"]


def test_kinds_of_weights_are_what_they_are_called() -> None:
    made = {kind: fixed_weights(kind, 12, 6, seeded()) for kind in KINDS}
    assert all(w.shape == (12, 6) for w in made.values())
    rank = {kind: stable_ranks(w).item() for kind, w in made.items()}
    assert rank["orthogonal"] == pytest.approx(6)
    assert torch.linalg.matrix_rank(made["rank 2"]) == 2
    assert rank["repeated"] < 1.2


def test_sizes_and_bound_of_networks_of_squares() -> None:
    assert exp(log_bound(1, 0.1)) == pytest.approx(27 * 3**8 / 0.2)
    assert printed_samples(2, 0.1) == pytest.approx(9 * 3**8 * np.log(5) / 32)
    assert proven_samples(1, 0.1) == pytest.approx(8 * np.log(10) / (4 / 9 / 81))
    degree = {depth: exp(identity_rank(depth, float("inf"))) for depth in (1, 2)}
    assert degree == {1: pytest.approx(3.0), 2: pytest.approx(105 / 9)}
    assert exp(identity_rank(1, 4)) == pytest.approx(4 * 3 / (3 - 1 + 4))


def test_identity_layers_of_squares_approach_their_population() -> None:
    """Stable rank of 64 squares on 20,000 samples against er(M) = 2.909: 2.87."""
    found = run_squares(Squares("identity", 0.0, 64, 1, 20_000, 0))
    assert found["ranks"][0] == pytest.approx(exp(identity_rank(1, 64)), rel=0.05)


def test_token_indicators_and_zipf() -> None:
    tokens = torch.tensor([0, 2, 2, 1, 2])
    assert stable_ranks(indicators(tokens, 3)).item() == pytest.approx(5 / 3)
    assert zipf(50_257, zipf_exponent(50_257, 26.0))[0].item() == pytest.approx(1 / 26)


def test_a_block_is_that_of_the_figure() -> None:
    x = torch.randn(6, 5, dtype=torch.float64, generator=seeded())
    made = decoder_block(x, 12, seeded(1))
    assert torch.allclose(made["rms"].square().sum(0), torch.full((5,), 6.0, dtype=torch.float64))
    assert torch.allclose(made["mlp_rms"], rms_norm(made["attended"]))
    assert (made["hidden"] >= 0).all()
    again = decoder_block(x, 12, seeded(1))
    assert torch.equal(made["output"], again["output"])


def test_bounds_of_a_block() -> None:
    bounds = block_bounds(0.5, 2.0, 3.0, 0.1)
    assert bounds["rms"] == pytest.approx(12.0)
    assert bounds["mlp_rms"] == pytest.approx((1.1 / 0.9) ** 2 * 6 * 5 * 3)
    assert bounds["output"] > bounds["hidden"] == pytest.approx(2 * np.pi)


def test_perturbed_norms_are_drawn_by_their_two_parts() -> None:
    """Against whole vectors, 20,000 draws each."""
    found = run_perturbed_norm(PerturbedNorm(5, 1.0, 20_000))
    g = torch.randn(20_000, 5, dtype=torch.float64, generator=seeded(1))
    x = torch.zeros(5, dtype=torch.float64)
    x[0] = 5**0.5
    both = x.square().sum() + g.square().sum(1)
    outside = ((x + g).square().sum(1) - both).abs() / both
    assert found["quantile"] == pytest.approx(outside.quantile(0.9).item(), abs=0.02)
    bound = 4 * np.exp(-(0.2**2) * 5 / 64)
    share = (outside > 0.2).double().mean().item()
    assert found["excess"][1] * bound == pytest.approx(share, abs=0.02)


def test_two_directions_are_orthogonal_and_of_the_stated_energies() -> None:
    x, h = fixed_pair(DIRECTIONS, 4, 8, 6, seeded())
    assert (x[0] @ h[0]).item() == pytest.approx(0.0)
    assert (h.square().sum() * 4 / 8 / x.square().sum()).item() == pytest.approx(0.5)
