"""What all laws of this package share: the protocol, the result of a fit, the checks of input."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, Protocol, TypeAlias, TypeVar, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float

from spectrain.core import InputError

Array = np.ndarray
Numbers: TypeAlias = int | float | np.number | Sequence[Any] | np.ndarray | torch.Tensor
"""What laws take: a number, a list, an array, or a tensor on the CPU."""
Values: TypeAlias = Float[Array, "*shape"] | np.floating
"""Numbers of any shape inside a law, where NumPy turns arrays without dimensions into scalars."""


@runtime_checkable
class Law(Protocol):
    """A probability law on the line, or a part of one where its total mass is below one.

    Every law of this package answers these verbs; each also has ``sample``, whose arguments say
    what is drawn (numbers, pairs of levels, spectra of matrices), and where it has free parameters
    a function ``fit_<law>``.
    """

    @property
    def edges(self) -> tuple[float, float]:
        """Ends of the support."""

    def density(self, x: Numbers) -> Float[Array, "*shape"]:
        """Density p(x)."""

    def distribution(self, x: Numbers) -> Float[Array, "*shape"]:
        """Mass at or below x."""

    def moment(self, order: int) -> float:
        """∫ xᵏ p(x) dx, k = ``order``."""


@runtime_checkable
class QuantileLaw(Law, Protocol):
    """A law on an interval, of total mass one, with its inverse."""

    def quantile(self, probability: Numbers) -> Float[Array, "*shape"]:
        """The x below which the given fraction lies."""


L = TypeVar("L", bound=Law)


@dataclass(frozen=True, slots=True)
class Fit(Generic[L]):
    """A fitted law and the standard error of each of its fitted parameters."""

    law: L
    errors: Mapping[str, float]


def as_float(x: Numbers) -> Float[Array, "*shape"]:
    """The argument as a float64 array (a CPU tensor is welcome)."""
    return np.asarray(x, dtype=np.float64)


def require_positive(**values: float) -> None:
    """Raise :class:`InputError` unless every named value is finite and positive."""
    for name, value in values.items():
        if not (np.isfinite(value) and value > 0):
            raise InputError(f"{name} is {value}", remedy="pass a positive number")


def require_order(order: int) -> None:
    """Raise :class:`InputError` unless the order of a moment is a whole number ≥ 0."""
    if order < 0:
        raise InputError(f"the order of the moment is {order}", remedy="pass 0, 1, 2, …")


def finite_sample(name: str, x: Numbers, *, least: int = 1) -> Float[Array, "*shape"]:
    """The sample as float64, after a check of its size and that all of it is finite."""
    values = as_float(x)
    if values.size < least:
        raise InputError(
            f"{name} holds {values.size} values", remedy=f"pass at least {least} of them"
        )
    if not np.isfinite(values).all():
        raise InputError(f"{name} holds NaN or Inf", remedy="drop what is not finite first")
    return values


def numpy_generator(generator: torch.Generator) -> np.random.Generator:
    """A NumPy generator whose seed is drawn from a torch generator (which moves on by one draw)."""
    seed = torch.randint(2**63 - 1, (), generator=generator, device=generator.device)
    return np.random.default_rng(int(seed))


@lru_cache(maxsize=8)
def legendre(nodes: int) -> tuple[Float[Array, " nodes"], Float[Array, " nodes"]]:
    """Nodes and weights of Gauss-Legendre quadrature on [0, 1]."""
    points, weights = np.polynomial.legendre.leggauss(nodes)
    return (points + 1) / 2, weights / 2


def bisect(
    rising: Callable[[Values], Values],
    lower: Numbers,
    upper: Numbers,
    shape: tuple[int, ...],
) -> Float[Array, "*shape"]:
    """Elementwise root of a rising function between two bounds, to the last digits.

    Where the function does not change sign the nearer bound is returned.
    """
    low, high = np.broadcast_to(lower, shape), np.broadcast_to(upper, shape)
    for _ in range(52):
        middle = (low + high) / 2
        above = rising(middle) > 0
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.asarray((low + high) / 2)
