"""What every function of a matrix refuses, in the same words, and where it computes."""

from __future__ import annotations

from collections.abc import Callable
from inspect import unwrap
from typing import Any

import numpy as np
import pytest
import torch

from spectrain.core import InputError
from spectrain.matrix import (
    diagonal_spectrum,
    estimate,
    gram_spectrum,
    newton_schulz,
    polar,
    sketch,
    spectrum,
)

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "spectrum": unwrap(spectrum),
    "diagonal_spectrum": unwrap(diagonal_spectrum),
    "gram_spectrum": lambda given: unwrap(gram_spectrum)(given, 4, accumulated_in=torch.float64),
    "polar": unwrap(polar),
    "newton_schulz": unwrap(newton_schulz),
    "sketch": unwrap(sketch),
    "estimate": unwrap(estimate),
}
"""Without the run-time check of shapes, as users call them."""

MATRIX = torch.arange(12.0).reshape(3, 4) + torch.eye(3, 4)

REFUSED: dict[str, tuple[object, str]] = {
    "complex": (1j * MATRIX, "complex64 is not defined; pass its real and imaginary parts"),
    "integer": (MATRIX.int(), "int32 is not defined; convert to float"),
    "boolean": (MATRIX > 1, "bool is not defined; convert to float"),
    "sparse": (MATRIX.to_sparse(), "sparse_coo; pass x.to_dense"),
    "meta": (MATRIX.to("meta"), "meta device, which holds no numbers; load"),
    "nested": (
        torch.nested.nested_tensor([MATRIX], layout=torch.jagged),
        "nested tensor is not defined; pass its parts",
    ),
    "array": (MATRIX.numpy(), "not a ndarray; pass torch.as_tensor"),
    "list": (MATRIX.tolist(), "not a list; pass torch.as_tensor"),
    "nothing": (None, "not a NoneType"),
}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_refused(name: str, kind: str) -> None:
    given, message = REFUSED[kind]
    with pytest.raises(InputError, match=message):
        FUNCTIONS[name](given)


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name != "diagonal_spectrum"])
def test_a_vector_is_no_matrix(name: str) -> None:
    with pytest.raises(InputError, match=r"needs a matrix, not a tensor of shape \(5,\)"):
        FUNCTIONS[name](torch.ones(5))


@pytest.mark.parametrize("shape", [(6, 9), (300, 280)])
@pytest.mark.parametrize("name", ["spectrum", "polar", "newton_schulz", "sketch", "estimate"])
def test_a_default_device_changes_nothing(
    name: str, shape: tuple[int, int], generator: torch.Generator
) -> None:
    matrix = torch.randn(shape, generator=generator)
    plain = _numbers(FUNCTIONS[name](matrix))
    with torch.device("meta"):
        again = _numbers(FUNCTIONS[name](matrix))
    assert np.array_equal(plain, again)


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2], ids=str)
@pytest.mark.parametrize("name", ["spectrum", "polar", "sketch"])
def test_float8_is_read_exactly(name: str, dtype: torch.dtype, generator: torch.Generator) -> None:
    matrix = torch.randn(40, 30, generator=generator).to(dtype)
    assert np.array_equal(
        _numbers(FUNCTIONS[name](matrix)), _numbers(FUNCTIONS[name](matrix.float()))
    )


def _numbers(found: Any) -> np.ndarray[Any, Any]:
    for part in ("values", "factor", "nodes"):
        value = getattr(found, part, None)
        if isinstance(value, torch.Tensor):
            return np.asarray(value)
    return np.array([one.value for one in found.values.values()])
