"""Echo: exact on rank one, its published form too low, invariances, too few replicas."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spectrain.core import InputError
from spectrain.noise import (
    echo,
    echo_estimate,
    echo_uncorrected,
    pair_energy,
    pooled_echo,
    reverb,
)
from spectrain.noise.echo import root_estimate, without_each
from spectrain.noise.estimate import symmetric


def rank_one(zeta: torch.Tensor) -> torch.Tensor:
    z = zeta.outer(zeta)
    return z - z.diag().diag()


def naive_echo(z: torch.Tensor, p: int) -> float:
    """Least squares through the triples that replica p is part of: Z_pa Z_bp = ζ_p² Z_ab."""
    count = len(z)
    pairs = [(a, b) for a in range(count) for b in range(count) if len({a, b, p}) == 3]
    over = sum((z[p, a] * z[a, b] * z[b, p]).item() for a, b in pairs)
    under = sum(z[a, b].item() ** 2 for a, b in pairs)
    return max(over / under, 0.0) ** 0.5


@given(zeta=st.lists(st.floats(0.05, 1.0), min_size=3, max_size=12))
def test_exact_on_rank_one(zeta: list[float]) -> None:
    """For every number of replicas from 3; the published estimator is low by √((R−2)/R)."""
    truth = torch.tensor(zeta, dtype=torch.float64)
    torch.testing.assert_close(echo(rank_one(truth)), truth, rtol=1e-12, atol=0.0)


@pytest.mark.parametrize("count", [3, 4, 8, 16, 64])
@pytest.mark.parametrize("level", [0.3, 1.0])
def test_equal_echoes(count: int, level: float) -> None:
    truth = torch.full((count,), level, dtype=torch.float64)
    z = rank_one(truth)
    torch.testing.assert_close(echo(z), truth)
    torch.testing.assert_close(pooled_echo(z), truth[0])
    torch.testing.assert_close(echo_uncorrected(z), truth * ((count - 2) / count) ** 0.5)
    found = echo_estimate(z)
    assert found.value == pytest.approx(level)
    if count > 3:
        assert found.error == pytest.approx(0.0, abs=1e-7)
    else:
        assert found.reason == "no interval from 3 replicas"


@given(seed=st.integers(0, 100), count=st.integers(3, 7))
def test_agrees_with_the_definition(seed: int, count: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(count, count, generator=generator, dtype=torch.float64)
    z = x + x.mT
    z = z - z.diag().diag()
    found = echo(z)
    for p in range(count):
        assert found[p].item() == pytest.approx(naive_echo(z, p))


def test_leaving_out() -> None:
    z = torch.arange(16.0).reshape(4, 4)
    rest = without_each(z)
    assert rest.shape == (4, 3, 3)
    torch.testing.assert_close(rest[1], z[[0, 2, 3]][:, [0, 2, 3]])


class TestPairs:
    """The echo: signed, unbiased, its interval that of the square."""

    def test_is_the_mean_over_pairs(self, generator: torch.Generator) -> None:
        x = torch.randn(2, 6, 6, generator=generator, dtype=torch.float64)
        pairs = [(a, b) for a in range(6) for b in range(6) if a != b]
        naive = [sum(z[a, b].item() for a, b in pairs) / len(pairs) for z in x]
        assert pair_energy(x).tolist() == pytest.approx(naive)

    def test_unbiased_where_little_is_shared(self, generator: torch.Generator) -> None:
        """ζ = .1 in 64 × 64: pairs .100, the triples of before .03 to .05."""
        shared, squares = 0.1, []
        for _ in range(200):
            u, v = torch.randn(2, 16, 64, generator=generator, dtype=torch.float64)
            pairs = (x / x.norm(dim=1, keepdim=True) for x in (u, v))
            noise = torch.einsum("ai,aj->aij", *pairs).flatten(1)
            noise[:, 0] = 0
            t = (1 - shared**2) ** 0.5 * noise
            t[:, 0] = shared
            squares.append(pair_energy(t @ t.mT))
        told = torch.stack(squares)
        assert told.mean().item() == pytest.approx(
            shared**2, abs=3 * told.std().item() / len(told) ** 0.5
        )

    def test_noise_of_changing_sign_has_none(self, generator: torch.Generator) -> None:
        signs = torch.randn(400, 16, generator=generator).sign()
        z = signs.unsqueeze(2) * signs.unsqueeze(1)
        assert abs(pair_energy(z).mean().item()) < 3 * pair_energy(z).std().item() / 20
        assert pooled_echo(z - torch.diag_embed(z.diagonal(dim1=-2, dim2=-1))).min() > 0.99
        held = sum(echo_estimate(one).low <= 0 for one in z)
        assert held >= 0.85 * 400  # nominal .95; measured .94

    def test_a_root_keeps_its_interval_in_order(self) -> None:
        found = root_estimate(symmetric(-0.01, 0.02, replicas=8))
        assert found.value == 0.0
        assert found.low < 0 < found.high
        assert 0 < found.error < 0.2


def test_reverb_ignores_signs_and_joint_rotations() -> None:
    generator = torch.Generator().manual_seed(0)
    u = torch.linalg.qr(torch.randn(5, 8, 3, generator=generator, dtype=torch.float64)).Q
    v = torch.linalg.qr(torch.randn(5, 9, 3, generator=generator, dtype=torch.float64)).Q
    z = reverb(u, v)
    sign = torch.sign(torch.randn(5, 1, 3, generator=generator, dtype=torch.float64))
    torch.testing.assert_close(reverb(u * sign, v * sign), z)
    turn = torch.linalg.qr(torch.randn(5, 3, 3, generator=generator, dtype=torch.float64)).Q
    whole = ((0, 3),)
    torch.testing.assert_close(reverb(u @ turn, v @ turn, groups=whole), reverb(u, v, groups=whole))
    naive = torch.einsum("ami,ani,bmj,bnj->ab", u, v, u, v) / 3
    torch.testing.assert_close(reverb(u, v, groups=whole)[0], naive - naive.diag().diag())


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_replicas(count: int) -> None:
    z = torch.ones(count, count)
    with pytest.raises(InputError, match="at least 3"):
        echo(z)
    assert echo_estimate(z).reason == "fewer than 3 replicas"


def test_no_echo_in_negative_triples() -> None:
    z = torch.eye(4) - 1
    assert echo(z).tolist() == [0.0] * 4
    assert pooled_echo(torch.zeros(4, 4)).item() == 0.0
