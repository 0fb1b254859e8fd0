"""The contract of all scalar noise measures, and each against its naive transcription."""

from __future__ import annotations

import math

import pytest
import torch

from spectrain.core import Measure, Reduction
from spectrain.noise import NOISE_MEASURES, moments


def replicas(count: int = 12, *, signal: float = 0.3, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return signal + torch.randn(count, 6, 7, generator=generator, dtype=torch.float64)


def naive_energy_fraction(g: torch.Tensor) -> torch.Tensor:
    """(RÛ − T̂)/((R − 1)T̂)."""
    count = len(g)
    energy, mean_energy = g.square().sum((1, 2)).mean(), g.mean(0).square().sum()
    return (count * mean_energy - energy) / ((count - 1) * energy)


def naive_evenness(g: torch.Tensor) -> torch.Tensor:
    """Least participation ratio of row and column sums of the variances."""
    noise = g.var(0)
    sides = [noise.sum(1), noise.sum(0)]
    return min(s.sum() ** 2 / (len(s) * (s**2).sum()) for s in sides)


NAIVE = {
    "noise_evenness": naive_evenness,
    "snr_unbiased": lambda g: (g.mean(0).square().sum() - g.var(0).sum() / len(g)) / g.var(0).sum(),
    "snr_power": lambda g: g.mean(0).square().sum() / g.var(0).sum(),
    "snr_whole_tensor": lambda g: g.mean(0).norm() / g.std(0).norm(),
    "snr_entry_std": lambda g: g.mean(0).norm() / g.var(0).mean().sqrt(),
    "snr_per_parameter": lambda g: (g.mean(0).abs() / g.std(0)).mean(),
    "snr_parameter_normalised": lambda g: g.mean(0).norm() / g.std(0).norm() / g[0].numel(),
    "energy_fraction": naive_energy_fraction,
    "entry_variance": lambda g: g.sub(g.mean(0)).square().sum() / ((len(g) - 1) * g[0].numel()),
    "signal_power": lambda g: g.mean(0).square().sum() - g.var(0).sum() / len(g),
    "noise_power": lambda g: g.var(0).sum(),
    "noise_scale": lambda g: g.var(0).sum() / (g.mean(0).square().sum() - g.var(0).sum() / len(g)),
}

FLOORS = {
    "snr_unbiased": 0.0,
    "snr_power": 1 / 100,
    "snr_whole_tensor": 1 / 10,
    "snr_entry_std": math.sqrt(42) / 10,
    "snr_per_parameter": math.sqrt(2 / math.pi) / 10,
    "snr_parameter_normalised": 1 / 420,
    "energy_fraction": 0.0,
}


@pytest.mark.parametrize("measure", NOISE_MEASURES.values(), ids=lambda m: m.name)
class TestContract:
    def test_agrees_with_the_definition(self, measure: Measure) -> None:
        g = replicas()
        torch.testing.assert_close(measure(moments(g, entrywise=True)), NAIVE[measure.name](g))

    def test_merged_moments_give_the_same(self, measure: Measure) -> None:
        g = replicas()
        merged = moments(g[:5], entrywise=True).merge(moments(g[5:], entrywise=True))
        torch.testing.assert_close(measure(merged), measure(moments(g, entrywise=True)))

    def test_scaling_of_the_gradient(self, measure: Measure) -> None:
        g = replicas()
        factor = 9.0 if measure.unit == "unit of g²" else 1.0
        torch.testing.assert_close(
            measure(moments(3 * g, entrywise=True)), factor * measure(moments(g, entrywise=True))
        )

    def test_is_documented(self, measure: Measure) -> None:
        assert measure.reduction is Reduction.MOMENTS
        assert measure.formula
        assert measure.citation


@pytest.mark.parametrize(("name", "floor"), FLOORS.items())
def test_floor_on_pure_noise(name: str, floor: float) -> None:
    """What each definition says of 100 replicas without signal."""
    values = torch.stack(
        [
            NOISE_MEASURES[name](moments(replicas(100, signal=0.0, seed=seed), entrywise=True))
            for seed in range(40)
        ]
    )
    error = values.std() / 40**0.5
    assert abs(values.mean() - floor) < 4 * error + 0.03 * floor  # 3 %: E√ is not √E


def test_undefined_without_entrywise_scatter() -> None:
    assert NOISE_MEASURES["snr_per_parameter"](moments(replicas())).isnan()


def test_constant_entries_do_not_spoil_the_mean_over_parameters() -> None:
    g = torch.zeros(5, 1, 2, dtype=torch.float64)
    g[:, 0, 1] = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    found = NOISE_MEASURES["snr_per_parameter"](moments(g, entrywise=True))
    assert found.item() == pytest.approx(3 / math.sqrt(2.5))
