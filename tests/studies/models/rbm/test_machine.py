import pytest
import torch

from spectrain.core import InputError
from spectrain_studies.models.rbm import LatticeField, ScalarRBM

MACHINE = ScalarRBM(mass_squared=9.0, hidden_variance=0.8)


@pytest.fixture
def weights(generator):
    return torch.randn(3, 4, 2, dtype=torch.float64, generator=generator)


def test_integrating_the_hidden_units_out_leaves_the_kernel(weights):
    """K is the Schur complement of the joint precision of (φ, h)."""
    for w in weights:
        joint = torch.zeros(6, 6, dtype=torch.float64)
        joint[:4, :4] = 9.0 * torch.eye(4)
        joint[4:, 4:] = torch.eye(2) / 0.8
        joint[:4, 4:], joint[4:, :4] = -w, -w.T
        marginal = torch.linalg.inv(torch.linalg.inv(joint)[:4, :4])
        assert torch.allclose(marginal, MACHINE.kernel(w), atol=1e-12)


def test_the_gradient_is_that_of_the_likelihood(weights):
    correlator = LatticeField(4, 1.0).correlator
    w = weights.clone().requires_grad_()
    MACHINE.log_likelihood(w, correlator).sum().backward()
    assert torch.allclose(MACHINE.gradient(weights, correlator), w.grad, atol=1e-12)


def test_the_likelihood_is_that_of_a_gaussian(weights, generator):
    sample = torch.randn(50, 4, dtype=torch.float64, generator=generator) * 0.3
    value = MACHINE.log_likelihood(weights[0], sample.T @ sample / 50)
    law = torch.distributions.MultivariateNormal(
        torch.zeros(4, dtype=torch.float64), precision_matrix=MACHINE.kernel(weights[0])
    )
    assert torch.isclose(value, law.log_prob(sample).mean())


def test_the_likelihood_of_no_law_is_minus_infinity():
    w = torch.diag(torch.tensor([4.0, 0.0], dtype=torch.float64))
    assert MACHINE.log_likelihood(w, torch.eye(2, dtype=torch.float64)) == -torch.inf
    with pytest.raises(InputError, match="not positive definite"):
        MACHINE.sample(w, 3, generator=torch.Generator())


def test_the_drift_is_what_a_small_step_does():
    """In the target's own eigenbasis, to first order in the step: measured 1e-7 relative."""
    field, step = LatticeField(5, 2.0), 1e-7
    _, vectors = torch.linalg.eigh(field.kernel)
    x = torch.tensor([5.0, 4.0, 3.0, 2.0, 1.0], dtype=torch.float64)
    w = vectors * x.sqrt()
    moved = w + step * MACHINE.gradient(w, field.correlator)
    change = (torch.linalg.svdvals(moved).square() - x) / step
    assert torch.allclose(change, MACHINE.drift(x, field.modes), rtol=1e-5)


def test_the_drift_vanishes_where_the_modes_are_learnt():
    field = LatticeField()
    machine = ScalarRBM(9.0)
    assert machine.drift(machine.fixed_points(field.modes), field.modes).abs().max() < 1e-14
    assert machine.fixed_points(torch.tensor([10.0])).item() == 0.0


def test_starting_at_the_target_has_its_kernel(generator):
    field, machine = LatticeField(6, 2.0), ScalarRBM(9.0)
    w = machine.start_at(field.kernel, 6, count=3, generator=generator)
    assert torch.allclose(machine.kernel(w), field.kernel.expand(3, 6, 6), atol=1e-12)
    assert not torch.allclose(w[0], w[1])
    few = machine.start_at(field.kernel, 2, count=1, generator=generator)
    found = torch.linalg.eigvalsh(machine.kernel(few))[0]
    expected = torch.tensor([*field.modes[:2].tolist(), 9, 9, 9, 9], dtype=torch.float64)
    assert torch.allclose(found, expected)
    with pytest.raises(InputError, match="7 hidden units"):
        machine.start_at(field.kernel, 7, count=1, generator=generator)


def test_samples_have_the_covariance(weights, generator):
    drawn = MACHINE.sample(weights, 40_000, generator=generator)
    found = drawn.mT @ drawn / 40_000
    truth = torch.linalg.inv(MACHINE.kernel(weights))
    assert ((found - truth).abs() < 5 * truth.abs().amax() / 200).all()


@pytest.mark.parametrize("arguments", [(0.0, 1.0), (1.0, -1.0)])
def test_bad_settings_are_refused(arguments):
    with pytest.raises(InputError):
        ScalarRBM(*arguments)
