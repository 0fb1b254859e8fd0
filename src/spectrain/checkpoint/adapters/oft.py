"""OFT: W' = W·Rᵀ with R orthogonal, block by block; the change is known only with the base model.

A block is the Cayley transform of a skew-symmetric Q, of which the upper triangle is stored:
(I − Q)(I + Q)⁻¹, or the first terms of the series of (I + Q)(I − Q)⁻¹, as PEFT has them.

Source:
    Qiu et al., Controlling Text-to-Image Diffusion by Orthogonal Finetuning (2023), §3; PEFT 0.17.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.checkpoint.adapters.config import AdapterConfig
from spectrain.checkpoint.adapters.registry import Joined, factors, method
from spectrain.checkpoint.stored import Stored
from spectrain.core import InputError

_FACTOR = re.compile(
    r"(?P<base>.+)\.(?P<part>oft_R)(?:\.[^.]+)??(?:\.weight)?", re.ASCII | re.DOTALL
)
_REASON = "an OFT adapter, which rotates the weight: compare it with the base model"

_CONSTRAINED = "a constrained OFT adapter (coft), which is not read: merge it first"


@method("OFT")
def join_oft(held: Mapping[str, Stored], config: AdapterConfig) -> Iterator[Joined]:
    """The rotations of each module."""
    terms = config.settings.get("num_cayley_neumann_terms", 5)
    series = terms if config.settings.get("use_cayley_neumann", True) else None
    for base, own in factors(held, _FACTOR).items():
        stored = own["oft_R"]
        if config.settings.get("coft") is True:
            yield Joined(f"{base}.weight", None, (stored.name,), reason=_CONSTRAINED)
            continue
        onto = partial(_rotated, stored, series if isinstance(series, int) else None)
        yield Joined(f"{base}.weight", None, (stored.name,), onto, _REASON)


def rotations(
    triangles: Float[Tensor, "blocks t"], terms: int | None
) -> Float[Tensor, "blocks n n"]:
    """The blocks of R.

    Args:
        triangles: upper triangles of the Q, row by row, t = n(n − 1)/2.
        terms: of the series; ``None`` for the transform itself.

    Raises:
        InputError: t is not a triangular number.
    """
    count, t = triangles.shape
    n = round((1 + (1 + 8 * t) ** 0.5) / 2)
    if n * (n - 1) // 2 != t:
        raise InputError(
            f"{t} numbers do not make a triangle", remedy="save it with PEFT 0.15 or later"
        )
    rows, columns = torch.triu_indices(n, n, 1)
    q = torch.zeros(count, n, n, dtype=torch.float64)
    q[:, rows, columns] = triangles.double()
    q = q - q.mT
    eye = torch.eye(n, dtype=torch.float64)
    if terms is None:
        return torch.linalg.solve(eye + q, eye - q, left=False)
    total, power = eye.repeat(count, 1, 1), q
    for order in range(1, terms):
        total = total + (1.0 if order == terms - 1 and terms > 2 else 2.0) * power
        power = power @ q
    return total


def _rotated(stored: Stored, terms: int | None, weight: Tensor) -> Tensor:
    triangles = stored.load()
    assert isinstance(triangles, Tensor)
    blocks = rotations(triangles, terms)
    matrix = weight.double().flatten(1)
    n = blocks.shape[-1]
    if matrix.shape[1] % n or len(blocks) not in {1, matrix.shape[1] // n}:
        raise InputError(
            f"rotations of {n} do not fit {matrix.shape[1]} inputs", remedy="check the base model"
        )
    parts = matrix.unflatten(1, (-1, n))
    turned = torch.einsum("mbj,bij->mbi", parts, blocks.expand(parts.shape[1], n, n))
    return turned.reshape(weight.shape)
