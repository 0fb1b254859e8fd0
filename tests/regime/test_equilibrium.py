"""Theory against sums written out and against simulated processes."""

import math

import numpy as np
import pytest
import torch

from spectrain.core import InputError
from spectrain.matrix.polar import newton_schulz
from spectrain.regime import (
    NoiseUpdate,
    adamw_noise,
    equilibrium,
    expected_squared_norms,
    muon_noise,
    overlap_of_polars,
    sgd_noise,
)
from spectrain.regime.equilibrium import relaxations
from spectrain.regime.muon import averaged_autocorrelation


def summed_norm(update, learning_rate, weight_decay, lags=20_000):
    """E‖W‖² = η² Σᵢⱼ aⁱ⁺ʲ R(i − j), written out by lags."""
    a = 1 - learning_rate * weight_decay
    memory = 1 + 2 * sum(a**k * update.autocorrelation(k) for k in range(1, lags))
    return learning_rate**2 * update.energy * memory * sum(a ** (2 * k) for k in range(lags))


@pytest.mark.parametrize("update", [adamw_noise(30, beta1=0.8), sgd_noise(30, momentum=0.6)])
def test_norm_is_the_double_sum(update):
    found = equilibrium(update, learning_rate=0.1, weight_decay=0.05)
    assert found.squared_norm == pytest.approx(summed_norm(update, 0.1, 0.05), rel=1e-12)  # 1e-15


@pytest.mark.parametrize("beta1", [0.0, 0.9, 0.99])
def test_adamw_forgets_its_momentum(beta1):
    found = equilibrium(adamw_noise(100, beta1=beta1), learning_rate=1e-4, weight_decay=1e-3)
    assert found.rms(100) == pytest.approx(math.sqrt(1e-4 / 2e-3), rel=1e-5)  # ηλ·memory
    angle = math.sqrt(2e-7 * (1 - beta1) / (1 + beta1))
    assert found.angular_update == pytest.approx(angle, rel=1e-4)


def test_angle_is_that_of_a_simulated_process():
    """First-order autoregressive updates, 400 entries, one long run."""
    rng, beta, rate, decay = np.random.default_rng(0), 0.7, 0.05, 0.4
    update = NoiseUpdate(400 * 1.0, ((1.0, beta),))
    u, w, norms, cosines = rng.standard_normal(400), np.zeros(400), [], []
    for step in range(12_000):
        u = beta * u + math.sqrt(1 - beta**2) * rng.standard_normal(400)
        new = (1 - rate * decay) * w - rate * u
        if step > 2000:
            norms.append(new @ new)
            cosines.append(w @ new / np.sqrt((w @ w) * (new @ new)))
        w = new
    found = equilibrium(update, learning_rate=rate, weight_decay=decay)
    assert np.mean(norms) == pytest.approx(found.squared_norm, rel=0.02)  # 0.004
    assert math.acos(np.mean(cosines)) == pytest.approx(found.angular_update, rel=0.02)  # 0.003


def test_path_ends_at_the_equilibrium_and_starts_at_the_weights():
    update = adamw_noise(10)
    rates = np.full(20_000, 0.01)
    path = expected_squared_norms(update, initial=9.0, learning_rates=rates, weight_decay=0.1)
    target = equilibrium(update, learning_rate=0.01, weight_decay=0.1).squared_norm
    assert path[-1] == pytest.approx(target, rel=1e-9)
    assert path[0] == pytest.approx(9.0, rel=0.01)
    assert relaxations(rates, 0.1) == pytest.approx(40, rel=1e-3)
    left = (path[499] - target) / (9.0 - target)  # one relaxation time
    assert left == pytest.approx(math.exp(-1), rel=2e-3)


def test_without_decay_it_is_a_random_walk():
    path = expected_squared_norms(
        adamw_noise(10), initial=0.0, learning_rates=np.full(50, 0.1), weight_decay=0.0
    )
    assert path == pytest.approx(0.01 * 10 * np.arange(1, 51))


def test_schedules_are_followed():
    rates = np.r_[np.linspace(0, 0.02, 100), np.full(300, 0.02), np.linspace(0.02, 0, 200)]
    path = expected_squared_norms(
        adamw_noise(5), initial=1.0, learning_rates=rates, weight_decay=0.5
    )
    naive, norm = [], 1.0
    for rate in rates:
        a = 1 - rate * 0.5
        memory = (1 + 0.9 * a) / (1 - 0.9 * a)
        norm = a * a * norm + rate**2 * 5 * (0.1 / 1.9) * memory
        naive.append(norm)
    assert path == pytest.approx(np.array(naive), rel=1e-12)


@pytest.mark.parametrize(
    "call",
    [
        lambda: equilibrium(adamw_noise(3), learning_rate=0.1, weight_decay=0.0),
        lambda: equilibrium(adamw_noise(3), learning_rate=0.0, weight_decay=0.1),
        lambda: equilibrium(adamw_noise(3), learning_rate=2.0, weight_decay=0.5),
        lambda: adamw_noise(0),
        lambda: adamw_noise(3, beta1=1.0),
        lambda: sgd_noise(3, momentum=-0.1),
        lambda: sgd_noise(3, variance=0.0),
        lambda: muon_noise((4, 4), momentum=1.0, generator=torch.Generator()),
        lambda: expected_squared_norms(
            adamw_noise(3), initial=1.0, learning_rates=[-1.0], weight_decay=0.1
        ),
    ],
)
def test_what_has_no_equilibrium_is_refused(call):
    with pytest.raises(InputError):
        call()


def test_autocorrelation_of_the_nesterov_average():
    mu, length = 0.8, 400
    weights = (1 - mu) * mu ** (np.arange(length) + 1)
    weights[0] += 1 - mu
    naive = [weights[: length - k] @ weights[k:] / (weights @ weights) for k in (1, 2, 5)]
    first = averaged_autocorrelation(mu, nesterov=True)
    assert naive == pytest.approx([first * mu**k for k in (1, 2, 5)], rel=1e-12)


@pytest.mark.parametrize("shape", [(24, 24), (48, 12), (12, 48)])
def test_size_of_orthogonalized_noise(shape, generator):
    update = muon_noise(shape, generator=generator, scale=1.0)
    drawn = torch.randn(400, *shape, generator=generator, dtype=torch.float64)
    simulated = newton_schulz(drawn).factor.square().sum((-2, -1)).mean().item()
    assert update.energy == pytest.approx(simulated, rel=0.01)  # 0.002


@pytest.mark.parametrize("shape", [(64, 64), (48, 64), (64, 16), (8, 8)])
@pytest.mark.parametrize("correlation", [0.3, 0.6, 0.9])
def test_updates_overlap_as_drawn_ones(shape, correlation, generator):
    """At every correlation of their averages, and so at every lag."""
    lag = 2
    mu = correlation ** (1 / lag)
    update = muon_noise(shape, generator=generator, momentum=mu, nesterov=False)
    draws = 4_000 // shape[0]
    overlap, error = overlap_of_polars(shape, correlation, generator=generator, draws=draws)
    finite = 0.03 if shape == (8, 8) else 0.005  # 0.02, 0.001
    assert update.autocorrelation(lag) == pytest.approx(overlap, abs=3 * error + finite * overlap)


def test_other_polynomials_overlap_in_another_way(generator):
    """One cubic step is nearly linear: updates overlap as their averages do."""
    cubic = (1.5, -0.5, 0.0)
    update = muon_noise(
        (32, 32),
        generator=generator,
        momentum=0.5,
        nesterov=False,
        steps=1,
        coefficients=cubic,
    )
    assert update.autocorrelation(1) == pytest.approx(0.5, rel=0.01)  # 0.002
    assert muon_noise((32, 32), generator=generator).terms[0][0] < 0.7


def test_expansion_of_the_polar_factor_is_chebyshevs(generator):
    """w_j = (∫ sign·U_j dμ)² over the semicircle law."""
    update = muon_noise(
        (200, 200),
        generator=generator,
        momentum=0.5,
        nesterov=False,
        steps=30,
        coefficients=(1.5, -0.5, 0.0),
    )
    angles = (np.arange(20_000) + 0.5) * math.pi / 40_000
    for (weight, rate), j in zip(update.terms[:4], (1, 3, 5, 7), strict=True):
        assert rate == 0.5**j
        semicircle = 2 / math.pi * np.sin(angles) ** 2 * math.pi / 20_000
        mean = (np.sin((j + 1) * angles) / np.sin(angles)) @ semicircle
        assert weight == pytest.approx(mean**2, abs=0.005)  # 0.002


def test_linear_share_of_a_large_square_polar_factor(generator):
    many = muon_noise((256, 256), generator=generator, steps=30, coefficients=(1.5, -0.5, 0.0))
    linear = many.terms[0][0] / averaged_autocorrelation(0.95, nesterov=True)
    assert linear == pytest.approx((8 / (3 * math.pi)) ** 2, rel=0.01)  # 0.003 of finite size
    assert many.energy == pytest.approx(256, rel=0.01)
