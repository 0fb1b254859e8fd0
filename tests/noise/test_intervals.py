"""Signal, noise and noise scale: known truth, coverage, and the per-example oracle."""

from __future__ import annotations

import math

import pytest
import torch
from torch.func import functional_call, grad, vmap

from spectrain.core import InputError
from spectrain.noise import (
    Deviations,
    deviations,
    energy_share,
    entry_noise,
    moments,
    noise_scale_of_two_batches,
    signal_to_noise,
    simple_noise_scale,
)


def draw(
    generator: torch.Generator, *, count: int, snr: float, size: int, decay: float = 0.0
) -> Deviations:
    """Deviations of replicas with ‖E g‖²/tr C = snr and noise variances ∝ j^(−2·decay)."""
    scale = torch.arange(1, size + 1, dtype=torch.float64) ** -decay
    scale = scale / scale.norm()
    g = torch.full((size,), (snr / size) ** 0.5, dtype=torch.float64) + scale * torch.randn(
        count, size, generator=generator, dtype=torch.float64
    )
    return deviations(g, moments(g))


STATISTICS = {
    "snr": (signal_to_noise, lambda snr, size: snr),
    "noise scale": (simple_noise_scale, lambda snr, size: 1 / snr if snr else math.inf),
    "energy share": (energy_share, lambda snr, size: snr / (1 + snr)),
    "entry variance": (entry_noise, lambda snr, size: 1 / size),
}


@pytest.mark.slow
@pytest.mark.parametrize("count", [5, 8, 16])
@pytest.mark.parametrize("snr", [0.003, 0.05, 1.0, 20.0])
def test_intervals_cover(count: int, snr: float, generator: torch.Generator) -> None:
    """600 cases of 90 % intervals; measured 0.88 to 0.95."""
    cases, size = 600, 1000
    hits = dict.fromkeys(STATISTICS, 0)
    for _ in range(cases):
        found = draw(generator, count=count, snr=snr, size=size)
        for name, (statistic, truth) in STATISTICS.items():
            hits[name] += statistic(found).covers(truth(snr, size))
    for name, hit in hits.items():
        assert 0.85 <= hit / cases <= 0.96, name


@pytest.mark.slow
@pytest.mark.parametrize("decay", [0.0, 0.4, 0.75])
def test_intervals_cover_on_pure_noise(decay: float, generator: torch.Generator) -> None:
    """Where the plain jackknife is twice too wide; measured 0.91 to 0.97."""
    hit = sum(
        signal_to_noise(draw(generator, count=16, snr=0.0, size=400, decay=decay)).covers(0.0)
        for _ in range(500)
    )
    assert 0.85 <= hit / 500 <= 0.98


def test_intervals_cover_quickly(generator: torch.Generator) -> None:
    """150 cases: 3.5 standard errors of a coverage of 0.9 are 0.086."""
    hit = sum(
        signal_to_noise(draw(generator, count=8, snr=0.05, size=500)).covers(0.05)
        for _ in range(150)
    )
    assert 0.81 < hit / 150 <= 0.99


def test_pure_noise_does_not_bound_the_noise_scale(generator: torch.Generator) -> None:
    found = [simple_noise_scale(draw(generator, count=8, snr=0.0, size=500)) for _ in range(60)]
    open_ended = [one for one in found if one.high == math.inf]
    assert len(open_ended) > 45  # all but the upper 5 %, expected 57
    assert all("not enough replicas" in one.reason for one in open_ended)


class TestTooLittle:
    def test_two_replicas(self) -> None:
        g = torch.tensor([[1.0, 2.0], [2.0, 1.0]], dtype=torch.float64)
        found = deviations(g, moments(g))
        for statistic, _ in STATISTICS.values():
            assert statistic(found).reason == "fewer than 3 replicas"

    def test_identical_replicas(self) -> None:
        g = torch.ones(4, 3, dtype=torch.float64)
        assert "identical" in signal_to_noise(deviations(g, moments(g))).reason

    def test_zero_gradient(self) -> None:
        g = torch.zeros(4, 3, dtype=torch.float64)
        assert signal_to_noise(deviations(g, moments(g))).reason == "zero gradient"


class TestTwoBatches:
    def test_recovers_the_truth(self, generator: torch.Generator) -> None:
        hit, cases, small, large = 0, 150, 4, 32
        mean = torch.full((200,), 0.1, dtype=torch.float64)  # |G|² = 2, tr Σ = 200: B = 100
        for _ in range(cases):
            draws = mean + torch.randn(24, large, 200, generator=generator, dtype=torch.float64)
            at_small = draws[:, :small].mean(1).square().sum(-1)
            at_large = draws.mean(1).square().sum(-1)
            found = noise_scale_of_two_batches(
                at_small, at_large, small_batch=small, large_batch=large
            )
            hit += found.covers(100.0)
        assert 0.81 < hit / cases <= 0.99

    def test_is_a_ratio_of_averages(self) -> None:
        small, large = torch.tensor([2.0, 4.0]), torch.tensor([1.5, 1.0])
        found = noise_scale_of_two_batches(small, large, small_batch=1, large_batch=2)
        signal = (2 * large - small).double()
        noise = (small - large).double() / 0.5
        assert found.value == math.inf  # the signals 1 and −2 average to less than 0
        assert signal.mean() < 0 < noise.mean()

    def test_bad_input(self) -> None:
        with pytest.raises(InputError, match="batch sizes"):
            noise_scale_of_two_batches(torch.ones(3), torch.ones(3), small_batch=2, large_batch=2)
        few = noise_scale_of_two_batches(torch.ones(1), torch.ones(1), small_batch=1, large_batch=2)
        assert few.reason == "fewer than 2 observations"


class TestOracle:
    """Brute force: the gradient of every example of a small network, by torch.func."""

    @staticmethod
    def per_example() -> torch.Tensor:
        generator = torch.Generator().manual_seed(7)
        model = torch.nn.Sequential(
            torch.nn.Linear(6, 10), torch.nn.Tanh(), torch.nn.Linear(10, 3)
        ).double()
        with torch.no_grad():
            for p in model.parameters():
                p.copy_(torch.randn(p.shape, generator=generator, dtype=torch.float64) / 2)
        x = torch.randn(512, 6, generator=generator, dtype=torch.float64)
        y = torch.randn(512, 3, generator=generator, dtype=torch.float64)

        def loss(parameters, one_x, one_y):
            return (functional_call(model, parameters, (one_x,)) - one_y).square().sum()

        gradients = vmap(grad(loss), (None, 0, 0))(dict(model.named_parameters()), x, y)
        return torch.cat([g.flatten(1) for g in gradients.values()], 1).detach()

    def test_single_examples_give_the_brute_force_value(self) -> None:
        g = self.per_example()
        trace = g.var(0).sum()
        brute = trace / (g.mean(0).square().sum() - trace / len(g))
        found = simple_noise_scale(deviations(g, moments(g)))
        assert found.value == pytest.approx(brute.item(), rel=1e-10)

    def test_batches_agree_with_the_population(self) -> None:
        """Ratio tr Σ/|G|² of the whole data set as the population, from batches drawn out of it."""
        g = self.per_example()
        truth = (g.var(0, correction=0).sum() / g.mean(0).square().sum()).item()
        generator = torch.Generator().manual_seed(8)
        hit, cases, values = 0, 120, []
        for _ in range(cases):
            sizes = [16] * 11 + [8]
            rows = [torch.randint(512, (size,), generator=generator) for size in sizes]
            replicas = torch.stack([g[index].mean(0) for index in rows])
            summary = moments(replicas, weights=sizes)
            found = simple_noise_scale(deviations(replicas, summary, weights=sizes))
            hit += found.covers(truth)
            values.append(found.value)
        assert 0.81 < hit / cases <= 0.99
        assert torch.tensor(values).median().item() == pytest.approx(truth, rel=0.15)
