"""Gains and the energies of channels against naive transcriptions."""

from __future__ import annotations

import pytest
import torch

from spectrain.core import InputError
from spectrain.stability import (
    STABILITY_MEASURES,
    channel_kurtosis,
    rms_gain,
    sampled_gain,
    second_moment_energy,
    top_channel_share,
)


def rms(x):
    return x.square().mean().sqrt()


@pytest.fixture
def drawn():
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(7, 12, generator=generator, dtype=torch.float64)
    return matrix, torch.randn(50, 12, generator=generator, dtype=torch.float64)


def test_the_gain_is_the_ratio_of_root_mean_squares(drawn):
    matrix, rows = drawn
    expected = (rms(rows @ matrix.mT) / rms(rows)).item()
    made = second_moment_energy(matrix, rows.mT @ rows)
    assert rms_gain(made, rows.square().sum(), (7, 12)).item() == pytest.approx(expected, rel=1e-12)
    assert sampled_gain(matrix, rows)[0].item() == pytest.approx(expected, rel=1e-12)


def test_the_error_of_a_sample_is_that_over_samples(drawn):
    """Over 400 samples of 40 columns; the spread itself is known to 4 %."""
    matrix, _ = drawn
    generator = torch.Generator().manual_seed(1)
    found = [
        sampled_gain(matrix, torch.randn(40, 12, generator=generator).double()) for _ in range(400)
    ]
    gains, errors = (torch.stack(part) for part in zip(*found, strict=True))
    assert errors.mean().item() == pytest.approx(gains.std().item(), rel=0.15)


def test_channels_by_definition():
    energies = torch.rand(3, 250, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    scale = energies.sqrt()
    kurtosis = (scale**4).mean(-1) / (scale**2).mean(-1) ** 2
    torch.testing.assert_close(channel_kurtosis(energies), kurtosis)
    largest = energies.sort(-1, descending=True).values[:, :3].sum(-1) / energies.sum(-1)
    torch.testing.assert_close(top_channel_share(energies), largest)


@pytest.mark.parametrize("name", list(STABILITY_MEASURES))
def test_measures_of_channels_have_no_unit_and_no_order(name):
    measure = STABILITY_MEASURES[name]
    energies = torch.rand(40, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    value = measure(energies)
    torch.testing.assert_close(measure(1000 * energies), value)
    torch.testing.assert_close(measure(energies.flip(0)), value)
    assert measure(torch.zeros(4)).isnan()
    assert measure(torch.full((4,), torch.inf)).isnan()


def test_names_are_taken_once():
    with pytest.raises(InputError, match="registered twice"):
        STABILITY_MEASURES.register(unit="1", formula="x", citation="x")(channel_kurtosis)
