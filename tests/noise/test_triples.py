"""Leading triples against the dense SVD in float64."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spectrain.core import InputError
from spectrain.noise import Triples, top_triples


def matrix(seed: int, shape: tuple[int, int], *, noise: float = 0.0) -> torch.Tensor:
    """Singular values 1/j in random directions, and isotropic noise of that operator norm."""
    generator = torch.Generator().manual_seed(seed)
    r = min(shape)
    u = torch.linalg.qr(torch.randn(shape[0], r, generator=generator, dtype=torch.float64)).Q
    v = torch.linalg.qr(torch.randn(shape[1], r, generator=generator, dtype=torch.float64)).Q
    s = 1 / torch.arange(1, r + 1, dtype=torch.float64)
    edge = shape[0] ** 0.5 + shape[1] ** 0.5
    e = torch.randn(shape, generator=generator, dtype=torch.float64)
    return (u * s) @ v.mT + noise / edge * e


def overlaps(found: Triples, truth: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    u, _, vh = torch.linalg.svd(truth.double(), full_matrices=False)
    k = found.k
    left = (found.left.double() * u[:, :k]).sum(0).square()
    return left, (found.right.double() * vh.mT[:, :k]).sum(0).square()


@pytest.mark.parametrize("shape", [(300, 700), (700, 300), (120, 120), (20, 30), (9, 200)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_agrees_with_the_svd(shape: tuple[int, int], dtype: torch.dtype, noise: float) -> None:
    a = matrix(0, shape, noise=noise)
    found = top_triples(a.to(dtype), 6)
    values = torch.linalg.svdvals(a)[:6]
    torch.testing.assert_close(found.values.double(), values, rtol=1e-4, atol=0.0)
    for overlap in overlaps(found, a):
        assert (1 - overlap).max() < 1e-4  # measured 2e-5, at rtol 3e-3
    product = a.to(dtype) @ found.right - found.left * found.values
    torch.testing.assert_close(
        torch.linalg.vector_norm(product, dim=0), found.residual, atol=1e-4, rtol=0.5
    )


def test_a_warm_start_may_be_wrong() -> None:
    a, other = matrix(0, (300, 400)), matrix(1, (300, 400))
    start = top_triples(other, 6)
    for overlap in overlaps(top_triples(a, 6, start=start), a):
        assert (1 - overlap).max() < 1e-4


def test_pure_noise_falls_back_on_the_gram_matrix() -> None:
    a = torch.randn(300, 400, generator=torch.Generator().manual_seed(0))
    found = top_triples(a, 5)
    for overlap in overlaps(found, a):
        assert (1 - overlap).max() < 1e-3  # measured 1e-6


@given(seed=st.integers(0, 30), k=st.integers(1, 8))
def test_orthonormal_whatever_is_asked(seed: int, k: int) -> None:
    found = top_triples(matrix(seed, (80, 100), noise=0.5), k)
    eye = torch.eye(k, dtype=torch.float64)
    torch.testing.assert_close(found.left.mT @ found.left, eye, atol=1e-6, rtol=0.0)
    torch.testing.assert_close(found.right.mT @ found.right, eye, atol=1e-6, rtol=0.0)
    assert (found.values.diff() <= 0).all()


def test_the_global_random_state_is_not_touched() -> None:
    before = torch.random.get_rng_state()
    top_triples(matrix(0, (200, 200)), 4)
    assert torch.equal(before, torch.random.get_rng_state())


def test_extra_candidates_come_as_they_are() -> None:
    a = matrix(0, (300, 400), noise=0.2)
    found = top_triples(a, 3, extra=4)
    assert found.k == 7
    for overlap in overlaps(found.head(3), a):
        assert (1 - overlap).max() < 1e-4
    torch.testing.assert_close(found.values, torch.linalg.svdvals(a)[:7], rtol=0.05, atol=0.0)


def test_rank_deficient_and_zero() -> None:
    one = torch.zeros(200, 300)
    one[0, 0] = 2.0
    found = top_triples(one, 3)
    torch.testing.assert_close(found.values, torch.tensor([2.0, 0.0, 0.0]), atol=1e-6, rtol=0.0)
    assert top_triples(torch.zeros(200, 300), 3).values.tolist() == [0.0, 0.0, 0.0]


def test_bad_input() -> None:
    for k in (0, 4):
        with pytest.raises(InputError, match="triples of a"):
            top_triples(torch.zeros(3, 5), k)
    with pytest.raises(InputError, match="NaN"):
        top_triples(torch.full((3, 5), torch.nan), 1)
    assert top_triples(torch.ones(3, 5, dtype=torch.bfloat16), 1).left.dtype is torch.float32


@pytest.mark.parametrize("size", [12, 200])
def test_rounding_is_no_direction(size: int, generator: torch.Generator) -> None:
    """Vectors of a null space would be arbitrary: they and their σ are 0."""
    factors = torch.randn(2, size, 3, generator=generator)
    found = top_triples(factors[0] @ factors[1].mT, 3, extra=3)
    assert bool((found.values[:3] > 0).all())
    assert not found.values[3:].any()
    assert not found.left[:, 3:].any()
    assert not found.right[:, 3:].any()
