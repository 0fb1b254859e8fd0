"""The two inequalities that frame the choice of a cut, on random gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from spectrain.core import InputError
from spectrain.descent.granularity import cut_guarantee, experts_guarantee
from spectrain.matrix import nuclear_norm, nuclear_rank, spectrum


def gradients(seed: int) -> Tensor:
    """Four parts of 5 × 7 that share some of their directions."""
    generator = torch.Generator().manual_seed(seed)
    common = torch.randn(2, 7, generator=generator, dtype=torch.float64)
    own = torch.randn(4, 5, 7, generator=generator, dtype=torch.float64)
    return torch.randn(4, 5, 2, generator=generator, dtype=torch.float64) @ common + seed * own


@pytest.mark.parametrize("seed", range(6))
def test_the_whole_is_never_less_where_the_activation_is_shared(seed: int) -> None:
    parts = gradients(seed)
    energies = parts.square().sum((-2, -1))
    apart = cut_guarantee(nuclear_rank(spectrum(parts)), energies)  # all ratios are ≥ 1
    whole = nuclear_rank(spectrum(parts.flatten(0, 1)))
    assert 1 - 1e-9 <= (whole / apart).item() <= 4


@pytest.mark.parametrize("seed", range(6))
def test_the_whole_is_never_more_where_each_part_has_its_own(seed: int) -> None:
    parts = gradients(seed)
    energies = parts.square().sum((-2, -1))
    norms = nuclear_norm(spectrum(parts))
    stacked = nuclear_rank(spectrum(parts.flatten(0, 1)))
    apart = experts_guarantee(norms, energies)
    assert apart >= stacked * (1 - 1e-9)
    assert torch.isclose(apart, nuclear_rank(spectrum(torch.block_diag(*parts))))


def test_parts_without_energy_are_refused() -> None:
    with pytest.raises(InputError, match="no energy"):
        cut_guarantee(torch.ones(2), torch.zeros(2))
