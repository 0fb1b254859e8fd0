"""Signal directions: none where there is no signal, whatever the noise; those that were planted."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from spectrain.core import InputError
from spectrain.noise import directions, signal_test, top_triples
from spectrain.noise.signal import FLIPS

Noise = Callable[[int, int, int, torch.Generator], Tensor]


def white(r: int, m: int, n: int, g: torch.Generator) -> Tensor:
    return torch.randn(r, m, n, generator=g)


def changing_sign(r: int, m: int, n: int, g: torch.Generator) -> Tensor:
    """One direction, far above the rest, with a standard normal factor."""
    x = white(r, m, n, g)
    x[:, 0, 0] += 60 * torch.randn(r, generator=g)
    return x


def several_signs(r: int, m: int, n: int, g: torch.Generator) -> Tensor:
    """Five directions, each pushed by ±60."""
    x = white(r, m, n, g)
    x[:, range(5), range(5)] += 60 * torch.randn(r, 5, generator=g).sign()
    return x


def diagonal(r: int, m: int, n: int, g: torch.Generator) -> Tensor:
    """As many alike directions as there can be: the largest mean is a matter of choice."""
    x, k = 0.01 * white(r, m, n, g), min(m, n)
    x[:, range(k), range(k)] += torch.randn(r, k, generator=g)
    return x


def lognormal_scales(r: int, m: int, n: int, g: torch.Generator) -> Tensor:
    rows, columns = torch.randn(m, 1, generator=g), torch.randn(1, n, generator=g)
    return rows.exp() * columns.exp() * white(r, m, n, g)


def heavy_tails(r: int, m: int, n: int, g: torch.Generator) -> Tensor:
    """Student's t with two degrees of freedom."""
    return white(r, m, n, g) / (white(r, m, n, g).square() + white(r, m, n, g).square()).sqrt()


def skewed(r: int, m: int, n: int, g: torch.Generator) -> Tensor:
    """Not symmetric, which the test supposes: log-normal entries about their mean."""
    return white(r, m, n, g).exp() - torch.tensor(0.5).exp()


def unequal_replicas(r: int, m: int, n: int, g: torch.Generator) -> Tensor:
    return torch.randn(r, 1, 1, generator=g).exp() * white(r, m, n, g)


NOISES = (
    *(white, changing_sign, several_signs, diagonal),
    *(lognormal_scales, heavy_tails, skewed, unequal_replicas),
)


def count(replicas: Tensor, k: int = 8) -> int:
    return signal_test([top_triples(x, k + 4) for x in replicas], k=k).count()


@pytest.mark.parametrize("noise", [white, changing_sign, lognormal_scales])
def test_no_signal_quickly(noise: Noise, generator: torch.Generator) -> None:
    called = sum(count(noise(8, 24, 16, generator)) > 0 for _ in range(12))
    assert called <= 3  # P(4 or more of 12 at .031) = .0004


@pytest.mark.slow
@pytest.mark.parametrize("replicas", [6, 8, 16])
@pytest.mark.parametrize("noise", NOISES)
def test_no_signal(noise: Noise, replicas: int, generator: torch.Generator) -> None:
    """Of 200 blocks; the level is 1/32. More than 16 come about in 1 of 3,000 such tests."""
    called = sum(count(noise(replicas, 32, 24, generator)) > 0 for _ in range(200))
    assert called <= 16


@pytest.mark.parametrize(
    ("noise", "values"),
    [(white, (90.0, 50.0)), (changing_sign, (40.0,)), (lognormal_scales, (900.0,))],
)
def test_planted_directions_quickly(
    noise: Noise, values: tuple[float, ...], generator: torch.Generator
) -> None:
    told = []
    for _ in range(6):
        x = noise(10, 24, 24, generator)
        for place, value in enumerate(values, start=12):
            x[:, place, place] += value
        told.append(count(x))
    assert told.count(len(values)) >= 4  # measured 6, 6, 6


def test_p_is_the_share_of_sign_patterns(generator: torch.Generator) -> None:
    """Six replicas: all 32 patterns, written out, with nothing truncated or compressed."""
    x = white(6, 5, 4, generator).double()
    x[:, 0, 0] += 3
    found = signal_test([top_triples(one, 4) for one in x], k=1)

    def statistic(signs: Tensor) -> float:
        y = signs.reshape(-1, 1, 1) * x
        u, _, v = torch.linalg.svd(y.sum(0))
        projected = []
        for r in range(6):
            others = sum(y[s] for s in range(6) if s % 4 != r % 4)
            left, _, right = torch.linalg.svd(others)
            same = ((u[:, 0] @ left[:, :4]) * (v[0] @ right.mT)).abs().argmax()
            projected.append(left[:, same] @ y[r] @ right[same])
        told = torch.stack(projected)
        return (told.mean() / (told.std() / 6**0.5)).item()

    patterns = torch.cartesian_prod(*[torch.tensor([1.0, -1.0])] * 5)
    patterns = torch.cat([torch.ones(32, 1), patterns], 1).double()
    told = [statistic(signs) for signs in patterns]
    assert found.statistic.item() == pytest.approx(told[0], rel=1e-6)
    assert found.p.item() == sum(t >= told[0] - 1e-9 for t in told) / 32


@pytest.mark.parametrize(("replicas", "least"), [(3, 1 / 4), (5, 1 / 16), (9, 1 / FLIPS)])
def test_smallest_p(replicas: int, least: float, generator: torch.Generator) -> None:
    x = 0.1 * white(replicas, 6, 6, generator)
    x[:, 0, 0] += 9
    assert signal_test([top_triples(one, 4) for one in x], k=2).p[0].item() == least


def test_noise_free_and_zero_directions() -> None:
    x = torch.zeros(8, 12, 12)
    x[:, 0, 0] = 1
    assert count(x) == 1


def test_signs_of_replicas_do_not_matter_to_the_bases(generator: torch.Generator) -> None:
    """Flipping all replicas changes nothing at all."""
    x = white(8, 12, 9, generator)
    one, other = (signal_test([top_triples(y, 6) for y in s * x], k=3) for s in (1, -1))
    torch.testing.assert_close(one.statistic, other.statistic)


def test_directions_carry_it_in_the_order_of_the_mean(generator: torch.Generator) -> None:
    """Noise of changing sign may lie above the signal in the mean: it is the other that counts."""
    x = white(8, 20, 20, generator)
    x[:, 0, 0] += 200 * torch.tensor([1.6, -0.4, 0.8, -1.0, 0.3, -0.8, 1.1, 0.6])
    x[:, 9, 9] += 30
    found = directions(x, k=2)
    assert found.mean.left[0, 0].abs() > 0.9
    assert (found.test.p <= 0.05).tolist() == [False, True]


def test_bad_input(generator: torch.Generator) -> None:
    triples = [top_triples(x, 2) for x in white(3, 5, 5, generator)]
    with pytest.raises(InputError, match="3 replicas for 4 directions"):
        signal_test(triples, k=4)
    with pytest.raises(InputError, match="1 replicas"):
        signal_test(triples[:1], k=1)
