"""The Coulomb gas: Metropolis against the ensembles it stands for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spectrain.core import InputError
from spectrain.rmt import CoulombGas, TwoMode, evolve_levels, hermite_eigenvalues


def harmonic(x: torch.Tensor) -> torch.Tensor:
    return x**2 / 2


def grid_start(chains: int, size: int) -> torch.Tensor:
    return torch.linspace(-1, 1, size).double().expand(chains, size)


def test_log_density_is_the_formula():
    x = torch.tensor([0.3, -1.0, 2.0]).double()
    gas = CoulombGas(lambda v: v**4, g=0.7, beta=2.0)
    expected = 2 * np.log(1.3 * 1.7 * 3.0) - (0.3**4 + 1 + 16) / 0.49
    assert gas.log_density(x).item() == pytest.approx(expected)


@pytest.mark.parametrize("beta", [1.0, 2.0, 4.0])
def test_harmonic_gas_is_the_gaussian_ensemble(beta, generator):
    """exp(−Σx²/2g²): hermite_eigenvalues with βn/4σ² = 1/2g²."""
    size, g = 4, 0.6
    gas = CoulombGas(harmonic, g=g, beta=beta)
    levels, accepted = gas.sample(grid_start(2000, size), sweeps=60, width=0.6, generator=generator)
    exact = hermite_eigenvalues(
        size, count=40000, generator=generator, variance=beta * size * g**2 / 2, beta=beta
    )
    ordered = levels.sort(-1).values
    error = 5 * exact.std(0) / np.sqrt(2000)
    assert (np.abs(ordered.mean(0).numpy() - exact.mean(0)) < error).all()
    np.testing.assert_allclose(ordered.std(0), exact.std(0), rtol=0.1)
    assert 0.2 < accepted < 0.9


def test_two_levels_have_the_two_mode_density(generator):
    gas = CoulombGas(lambda x: (x - 4.0) ** 2 / 2, g=0.3)
    start = torch.tensor([3.9, 4.1]).double().expand(4000, 2)
    levels, _ = gas.sample(start, sweeps=40, width=0.5, generator=generator)
    law = TwoMode(4.0, 0.3)
    ordered = np.sort(levels.numpy().ravel())
    steps = (np.arange(ordered.size) + 0.5) / ordered.size
    assert np.abs(law.distribution(ordered) - steps).max() < 0.025


def test_dyson_brownian_motion_comes_to_rest_here(generator):
    """Quartic potential, independent check of both: moments of the levels."""
    gas = CoulombGas(lambda x: x**4 / 4, g=0.8)
    start = grid_start(1500, 3)
    chains, _ = gas.sample(start, sweeps=60, width=0.7, generator=generator)
    motion = evolve_levels(
        start, drift=lambda x: -(x**3), g=0.8, step=0.02, steps=150, generator=generator
    )
    np.testing.assert_allclose(
        motion.mean(0), chains.sort(-1).values.mean(0), atol=5 * 0.4 / np.sqrt(1500) + 0.01
    )
    np.testing.assert_allclose(motion.std(0), chains.sort(-1).values.std(0), rtol=0.1)


def test_each_level_has_its_own_potential(generator):
    centres = torch.tensor([-20.0, 0.0, 20.0]).double()
    gas = CoulombGas(lambda x: (x - centres) ** 2 / 2, g=0.5)
    levels, _ = gas.sample(centres.expand(3000, 3), sweeps=30, width=0.8, generator=generator)
    torch.testing.assert_close(levels.mean(0), centres, atol=0.1, rtol=0)
    torch.testing.assert_close(levels.var(0), torch.full((3,), 0.25).double(), rtol=0.15, atol=0)


def test_walls_are_respected(generator):
    def box(x: torch.Tensor) -> torch.Tensor:
        return torch.where(x.abs() < 1, 0.0, torch.inf)

    gas = CoulombGas(box, g=1.0)
    levels, _ = gas.sample(0.9 * grid_start(200, 3), sweeps=20, width=1.0, generator=generator)
    assert (levels.abs() < 1).all()


def test_bad_input_is_refused(generator):
    with pytest.raises(InputError, match="beta"):
        CoulombGas(harmonic, g=1.0, beta=-1.0)
    with pytest.raises(InputError, match="density is zero"):
        CoulombGas(harmonic, g=1.0).sample(
            torch.zeros(2, 2), sweeps=1, width=1.0, generator=generator
        )
    with pytest.raises(InputError, match="width"):
        CoulombGas(harmonic, g=1.0).sample(
            grid_start(2, 2), sweeps=1, width=0.0, generator=generator
        )
