"""Products of thin factors as stored tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor

from spectrain.checkpoint.stored import Product, Stored
from spectrain.core import InputError

Join = Callable[..., Product | Tensor]


def joined(
    name: str,
    shape: tuple[int, ...],
    parts: Mapping[str, Stored],
    join: Join,
    note: str,
) -> Stored:
    """A change that is read by reading its factors, in float64, and joining them.

    Args:
        name: of the weight.
        shape: of the change.
        parts: factors by the names of ``join``'s arguments.
        join: makes the change.
        note: what qualifies the numbers.
    """
    dtype = next(iter(parts.values())).dtype
    return Stored(name, shape, dtype, partial(read_joined, dict(parts), join, shape), note)


def read_joined(
    parts: Mapping[str, Stored], join: Join, shape: tuple[int, ...]
) -> Product | Tensor:
    """Read factors and join them.

    Raises:
        InputError: a factor cannot be read, or they do not fit together.
    """
    tensors: dict[str, Tensor] = {}
    for key, stored in parts.items():
        tensor = stored.load()
        assert isinstance(tensor, Tensor)
        tensors[key] = tensor.double()
    try:
        joined = join(**tensors)
    except (RuntimeError, IndexError) as error:
        raise InputError(
            f"its factors do not fit together ({error})", remedy="fetch it again"
        ) from None
    if tuple(joined.shape) != shape:
        raise InputError(
            f"its factors give {tuple(joined.shape)} and not {shape}", remedy="fetch it again"
        )
    return joined


def flat(tensor: Tensor) -> Tensor:
    """A matrix: a convolution's kernel beside its inputs."""
    return tensor.flatten(1) if tensor.ndim > 2 else tensor


def dense(change: Product | Tensor) -> Tensor:
    """A change as one matrix."""
    return change.left @ change.right if isinstance(change, Product) else change


def tucker(core: Tensor, inputs: Tensor, outputs: Tensor) -> Tensor:
    """Outputs × inputs × kernel out of a core tensor and two factors.

    Args:
        core: r × r × kernel.
        inputs: r × inputs.
        outputs: r × outputs.
    """
    return torch.einsum("ij...,jr,ip->pr...", core, inputs, outputs)
