"""The bound of logits against the product itself, and logits against the bound."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from spectrain.stability import logit_bound


def naive(queries: Tensor, keys: Tensor) -> Tensor:
    """σ_max of the full product, head by head."""
    shared = len(queries) // len(keys)
    found = []
    for head, query in enumerate(queries.double()):
        product = query.mT @ keys[head // shared].double()
        found.append(torch.linalg.svdvals(product)[0] / query.shape[0] ** 0.5)
    return torch.stack(found)


def weights(heads: int, groups: int, size: int, inputs: tuple[int, int], dtype: torch.dtype):
    generator = torch.Generator().manual_seed(heads * 100 + groups)
    query = torch.randn(heads, size, inputs[0], generator=generator, dtype=torch.float64)
    key = torch.randn(groups, size, inputs[1], generator=generator, dtype=torch.float64)
    return query.to(dtype), key.to(dtype)


@pytest.mark.parametrize(("heads", "groups"), [(4, 4), (6, 2), (3, 1), (1, 1)])
@pytest.mark.parametrize("inputs", [(24, 24), (10, 16), (4, 4)])
def test_the_bound_is_that_of_the_product(heads, groups, inputs):
    query, key = weights(heads, groups, 5, inputs, torch.float64)
    torch.testing.assert_close(logit_bound(query, key), naive(query, key), rtol=1e-12, atol=0)


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float32, 1e-6), (torch.bfloat16, 1e-6)])
def test_lower_precisions_are_summed_in_float32(dtype, rtol):
    """Seen: 3e-7 against float64 of the same rounded weights."""
    query, key = weights(4, 2, 16, (64, 64), dtype)
    torch.testing.assert_close(logit_bound(query, key), naive(query, key), rtol=rtol, atol=0)


def test_no_logit_exceeds_the_bound_and_one_meets_it():
    query, key = weights(2, 1, 6, (12, 12), torch.float64)
    bound = logit_bound(query, key)
    x, y = torch.randn(2, 500, 12, generator=torch.Generator().manual_seed(0)).double()
    for head in range(2):
        logits = (x @ query[head].mT) @ (y @ key[0].mT).mT / 6**0.5
        limit = bound[head] * x.norm(dim=1)[:, None] * y.norm(dim=1)
        assert (logits.abs() <= limit).all()
        u, _, vh = torch.linalg.svd(query[head].mT @ key[0])
        met = (u[:, 0] @ query[head].mT) @ (vh[0] @ key[0].mT) / 6**0.5
        assert met.abs().item() == pytest.approx(bound[head].item(), rel=1e-12)


def test_dead_and_broken_heads():
    query, key = weights(2, 2, 4, (8, 8), torch.float64)
    query[0] = 0.0
    key[1, 0, 0] = torch.inf
    dead, broken = logit_bound(query, key)
    assert dead.item() == 0.0
    assert broken.isnan()
