from math import sqrt

import pytest
import torch

from spectrain.core import InputError
from spectrain_studies.models.rbm import (
    LatticeField,
    RBMRuns,
    ScalarRBM,
    Target,
    start_runs,
    train_rbm,
)
from spectrain_studies.models.rbm.train import _collapsed, _sweep

FIELD, MACHINE = LatticeField(), ScalarRBM(9.0)


def warm(count, batch, generator):
    weights = MACHINE.start_at(FIELD.kernel, 10, count=count, generator=generator)
    return start_runs(weights, batch, machine=MACHINE, generator=generator)


@pytest.mark.parametrize("sweeps", [1, 2, 3, 5])
def test_collapsed_sweeps_have_the_moments_of_single_ones(sweeps, generator):
    """The mean is exact; the covariance is compared with that of composed linear maps."""
    weights = torch.randn(1, 4, 3, dtype=torch.float64, generator=generator)
    step = weights[0] @ weights[0].T / 9
    covariance = torch.zeros(4, 4, dtype=torch.float64)
    for _ in range(sweeps):  # φ′ = (W/μ²)(Wᵀφ + ζ) + ξ/μ
        covariance = step @ covariance @ step + step / 9 + torch.eye(4) / 9
    start = torch.ones(1, 200_000, 4, dtype=torch.float64)
    drawn = _collapsed(MACHINE, weights, start, sweeps, generator)[0]
    mean = torch.linalg.matrix_power(step, sweeps) @ start[0, 0]
    most = covariance.max().item()
    assert torch.allclose(drawn.mean(0), mean, atol=5 * sqrt(most / 200_000))
    assert torch.allclose(drawn.T.cov(), covariance, atol=5 * most / sqrt(100_000))


def test_single_sweeps_have_the_same_law(generator):
    weights = torch.randn(1, 4, 3, dtype=torch.float64, generator=generator)
    start = torch.ones(1, 200_000, 4, dtype=torch.float64)
    chains = start
    for _ in range(2):
        chains = _sweep(MACHINE, weights, chains, generator)
    other = _collapsed(MACHINE, weights, start, 2, generator)
    assert torch.allclose(chains[0].mean(0), other[0].mean(0), atol=0.006)
    assert torch.allclose(chains[0].T.cov(), other[0].T.cov(), atol=0.006)


def test_without_noise_it_follows_the_gradient(generator):
    """As many chains as make the noise small: one update is α times the exact gradient."""
    weights = 0.5 * torch.randn(1, 10, 10, dtype=torch.float64, generator=generator)
    weights = weights / torch.linalg.matrix_norm(weights, 2) * 2
    runs = start_runs(weights, 400_000, machine=MACHINE, generator=generator)
    moved = train_rbm(
        MACHINE, Target(FIELD.correlator), runs, rate=1e-3, updates=1, generator=generator
    )
    change = (moved.weights - weights) / 1e-3
    exact = MACHINE.gradient(weights, FIELD.correlator)
    assert (change - exact).norm() < 0.02 * exact.norm()


def test_pairs_repel_as_the_linearised_theory_says(generator):
    """⟨S⟩ = √(2π (α/B)(μ² − κ)) times √((1 + ρ)/(1 − ρ)), ρ = (x/μ²)^{2k}, for small α/B."""
    rate, batch = 0.04, 64
    runs = warm(250, batch, generator)
    found = []
    for _ in range(5):  # the fast pairs forget in less than 150 updates
        runs = train_rbm(
            MACHINE, Target(FIELD.correlator), runs, rate=rate, updates=150, generator=generator
        )
        found.append(runs.levels)
    levels = torch.cat(found[1:]).flip(-1)
    x = MACHINE.fixed_points(FIELD.modes)
    for low in (1, 3):
        spacing = (levels[:, low] - levels[:, low + 1]).mean()
        rho = (x[low] / 9) ** 6
        theory = (2 * torch.pi * rate / batch * x[low] * (1 + rho) / (1 - rho)).sqrt()
        assert abs(spacing / theory - 1) < 0.09  # standard error 2 %


def test_a_sampled_positive_phase_has_more_noise(generator):
    data = FIELD.sample(5000, generator=generator)
    spacings = []
    for exact in (True, False):
        runs = train_rbm(
            MACHINE,
            Target.of_data(data, exact=exact),
            warm(200, 16, generator),
            rate=0.1,
            updates=150,
            generator=generator,
        )
        levels = runs.levels.flip(-1)
        spacings.append((levels[:, 1] - levels[:, 2]).mean())
    assert spacings[1] > 1.2 * spacings[0]  # both phases as noisy: √2, measured 1.4


def test_training_goes_on_where_it_was(generator):
    target = Target(FIELD.correlator)
    first, second = (torch.Generator().manual_seed(1) for _ in range(2))
    start = warm(3, 4, generator)
    once = train_rbm(MACHINE, target, start, rate=0.1, updates=6, generator=first)
    half = train_rbm(MACHINE, target, start, rate=0.1, updates=4, generator=second)
    twice = train_rbm(MACHINE, target, half, rate=0.1, updates=2, generator=second)
    assert torch.equal(once.weights, twice.weights)
    assert twice.updates == 6


def test_levels_are_those_of_the_smaller_gram_matrix(generator):
    wide = torch.randn(2, 3, 5, dtype=torch.float64, generator=generator)
    runs = RBMRuns(wide, torch.ones(2, 1, 3, dtype=torch.float64))
    assert torch.allclose(runs.levels.flip(-1), torch.linalg.svdvals(wide).square())


def test_chains_start_at_one_or_from_the_law(generator):
    weights = torch.zeros(2, 10, 10, dtype=torch.float64)
    assert (start_runs(weights, 3).chains == 1).all()
    chains = start_runs(weights, 20_000, machine=MACHINE, generator=generator).chains
    assert chains.var().item() == pytest.approx(1 / 9, rel=0.02)


@pytest.mark.parametrize(
    "wrong", [{"rate": -1.0}, {"updates": -1}, {"sweeps": 0}, {"rate": float("nan")}]
)
def test_bad_settings_are_refused(wrong, generator):
    settings = {"rate": 0.1, "updates": 1, "sweeps": 1} | wrong
    with pytest.raises(InputError):
        train_rbm(
            MACHINE,
            Target(FIELD.correlator),
            warm(1, 1, generator),
            generator=generator,
            **settings,
        )


def test_sizes_must_fit(generator):
    with pytest.raises(InputError, match="a row for every unit"):
        train_rbm(
            MACHINE,
            Target(LatticeField(5).correlator),
            warm(1, 1, generator),
            rate=0.1,
            updates=1,
            generator=generator,
        )
    with pytest.raises(InputError, match="batch is 0"):
        start_runs(torch.zeros(1, 2, 2), 0)
