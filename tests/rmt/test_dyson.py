"""Dyson Brownian motion: matrix form and eigenvalue form tell the same story."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spectrain.core import InputError
from spectrain.rmt import evolve_levels, evolve_matrices, hermite_eigenvalues
from spectrain.rmt.dyson import repel


def no_drift(x: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(x)


def test_noise_of_the_matrix_has_the_documents_variances(generator):
    start = torch.zeros(4000, 3, 3, dtype=torch.float64)
    end = evolve_matrices(start, drift=no_drift, g=0.5, step=0.1, steps=4, generator=generator)
    assert torch.equal(end, end.mT)
    assert end[:, 0, 1].var().item() == pytest.approx(0.25 * 0.4, rel=0.1)
    assert end[:, 1, 1].var().item() == pytest.approx(2 * 0.25 * 0.4, rel=0.1)


def test_second_order_perturbation_theory(generator):
    """Eigenvalues drift by g² Σ 1/(xᵢ − xⱼ) and diffuse by 2g², in both forms."""
    levels = torch.tensor([-1.0, 0.5, 2.0], dtype=torch.float64)
    g, time, count = 0.15, 0.05, 60000
    repulsion = (levels[:, None] - levels[None, :] + torch.eye(3)).reciprocal() - torch.eye(3)
    expected = levels + g**2 * time * repulsion.sum(-1)
    matrices = evolve_matrices(
        torch.diag(levels).expand(count, 3, 3),
        drift=no_drift,
        g=g,
        step=time,
        steps=1,
        generator=generator,
    )
    gas = evolve_levels(
        levels.expand(count, 3), drift=no_drift, g=g, step=time, steps=1, generator=generator
    )
    for end in (torch.linalg.eigvalsh(matrices), gas):
        error = g * (2 * time / count) ** 0.5
        torch.testing.assert_close(end.mean(0), expected, atol=5 * error, rtol=0)
        torch.testing.assert_close(
            end.var(0), torch.full((3,), 2 * g**2 * time).double(), rtol=0.05, atol=0
        )


def test_both_forms_reach_the_gaussian_ensemble(generator):
    """Drift −X: the stationary matrix has off-diagonal variance g²/2."""
    size, count = 4, 1000
    exact = hermite_eigenvalues(size, count=20000, generator=generator, variance=size / 2)
    matrices = evolve_matrices(
        torch.zeros(count, size, size).double(),
        drift=lambda x: -x,
        g=1.0,
        step=0.02,
        steps=200,
        generator=generator,
    )
    start = torch.linspace(-1, 1, size).double().expand(count, size)
    gas = evolve_levels(start, drift=lambda x: -x, g=1.0, step=0.02, steps=200, generator=generator)
    for levels in (torch.linalg.eigvalsh(matrices), gas):
        np.testing.assert_allclose(levels.mean(0), exact.mean(0), atol=0.09)
        np.testing.assert_allclose(levels.std(0), exact.std(0), rtol=0.09)


def test_levels_keep_their_own_drift_and_noise(generator):
    """Far apart the levels are independent: variance g²/k for the drift −k(x − c)."""
    centres, rates = torch.tensor([-30.0, 0.0, 40.0]).double(), torch.tensor([1.0, 2.0, 4.0])
    g = torch.tensor([0.2, 0.4, 0.8]).double()
    end = evolve_levels(
        centres.expand(2500, 3),
        drift=lambda x: -rates * (x - centres),
        g=g,
        step=0.02,
        steps=150,
        generator=generator,
    )
    torch.testing.assert_close(end.var(0), g**2 / rates, rtol=0.15, atol=0)


@given(
    st.lists(st.floats(-5, 5), min_size=2, max_size=8),
    st.floats(1e-6, 10.0),
    st.integers(0, 10),
)
def test_repulsion_is_solved_in_any_order(free, strength, seed):
    target = torch.tensor(free, dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    start = torch.rand(len(free), generator=generator, dtype=torch.float64).sort().values
    start = start + 1e-3 * torch.arange(len(free))
    solution = repel(target, start, torch.tensor(strength, dtype=torch.float64))
    gaps = solution.diff()
    assert (gaps > 0).all()
    inverse = (solution[:, None] - solution[None, :] + torch.eye(len(free))).reciprocal()
    forces = (inverse - torch.eye(len(free))).sum(-1)
    # a residual of the equation counts against the largest of its terms
    scale = strength / gaps.min() + target.abs().max() + 1
    torch.testing.assert_close(
        solution, target + strength * forces, atol=1e-9 * float(scale), rtol=0
    )


def test_two_levels_in_closed_form():
    """x₂ − x₁ = d solves d = y + 2t/d."""
    t, y = torch.tensor(0.3).double(), torch.tensor([0.2, 0.7]).double()
    found = repel(y, torch.tensor([0.0, 1.0]).double(), t)
    gap = 0.5
    expected = (gap + (gap**2 + 8 * 0.3) ** 0.5) / 2
    assert found.diff().item() == pytest.approx(expected)
    assert found.sum().item() == pytest.approx(0.9)


def test_a_single_level_is_free(generator):
    start = torch.zeros(5, 1)
    end = evolve_levels(start, drift=no_drift, g=1.0, step=0.1, steps=1, generator=generator)
    assert end.shape == (5, 1)
    assert end.dtype == torch.float32


def test_without_noise_the_drift_is_followed(generator):
    start = torch.tensor([1.0, 2.0]).double()
    end = evolve_levels(
        start, drift=lambda x: -x, g=0.0, step=0.001, steps=1000, generator=generator
    )
    torch.testing.assert_close(end, start * 0.999**1000)


def test_bad_input_is_refused(generator):
    with pytest.raises(InputError, match="ascending"):
        evolve_levels(torch.zeros(3), drift=no_drift, g=1.0, step=0.1, steps=1, generator=generator)
    with pytest.raises(InputError, match="positive step"):
        evolve_matrices(
            torch.zeros(2, 2), drift=no_drift, g=1.0, step=0.0, steps=1, generator=generator
        )
