"""What counts as a matrix: a dense tensor of real floating numbers; all else is refused."""

from __future__ import annotations

import torch
from torch import Tensor

from spectrain.core.errors import InputError


def dense(given: object, *, what: str = "a spectrum", dimensions: int = 2) -> Tensor:
    """The tensor itself without its graph, float8 widened to float32, which holds it exactly.

    Args:
        given: what the caller passed.
        what: what is to be computed of it, for the message.
        dimensions: how many it needs at least.

    Raises:
        InputError: it is not a tensor, on the meta device, sparse, nested or quantized, complex,
            integer or boolean, or has too few dimensions.

    Example:
        >>> import torch
        >>> dense(torch.ones(2, 2, dtype=torch.float8_e4m3fn)).dtype
        torch.float32
        >>> dense([[1.0]])
        Traceback (most recent call last):
        spectrain.core.errors.InputError: a spectrum needs a tensor, not a list; pass ...
    """
    if not isinstance(given, Tensor):
        raise InputError(
            f"{what} needs a tensor, not a {type(given).__name__}",
            remedy="pass torch.as_tensor(x)",
        )
    if given.is_nested:
        raise InputError(f"{what} of a nested tensor is not defined", remedy="pass its parts")
    if given.layout != torch.strided:
        layout = str(given.layout).removeprefix("torch.")
        raise InputError(f"{what} of a tensor of layout {layout}", remedy="pass x.to_dense()")
    if given.is_meta:
        raise InputError(
            f"{what} of a tensor on the meta device, which holds no numbers",
            remedy="load or initialise it first",
        )
    if not given.is_floating_point():
        remedy = "pass its real and imaginary parts" if given.is_complex() else "convert to float"
        raise InputError(f"{what} of {given.dtype} is not defined", remedy=remedy)
    if given.ndim < dimensions:
        raise InputError(
            f"{what} needs {'a matrix' if dimensions > 1 else 'a vector'}, "
            f"not a tensor of shape {tuple(given.shape)}",
            remedy="reshape it to two dimensions, or use diagonal_spectrum for diag(γ)"
            if dimensions > 1
            else "pass its values as one",
        )
    narrow = given.dtype.itemsize == 1
    return given.detach().float() if narrow else given.detach()
