import pytest
import torch

from spectrain.core import InputError
from spectrain_studies.models.rbm import LatticeField


@pytest.mark.parametrize("sites", [3, 4, 7, 10])
def test_modes_are_the_eigenvalues_of_the_kernel(sites):
    field = LatticeField(sites, 2.5)
    # measured 2e-15
    assert torch.allclose(torch.linalg.eigvalsh(field.kernel), field.modes, atol=1e-13)


def test_the_action_is_that_of_a_free_field():
    field = LatticeField(6, 1.7)
    phi = torch.randn(6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    parts = [0.5 * (phi[(i + 1) % 6] - phi[i]) ** 2 + 0.5 * 1.7 * phi[i] ** 2 for i in range(6)]
    assert torch.isclose(0.5 * phi @ field.kernel @ phi, torch.stack(parts).sum())


def test_the_degeneracies_of_ten_sites():
    modes = LatticeField().modes
    assert modes[[0, 9]].tolist() == pytest.approx([4.0, 8.0])
    for pair in ((1, 2), (3, 4), (5, 6), (7, 8)):
        assert torch.isclose(modes[pair[0]], modes[pair[1]])


@pytest.mark.parametrize("arguments", [(2, 1.0), (4, 0.0), (4, float("nan"))])
def test_bad_settings_are_refused(arguments):
    with pytest.raises(InputError):
        LatticeField(*arguments)
