"""What all laws of this package share: the protocol, the result of a fit, the checks of input."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, Protocol, TypeAlias, TypeVar, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import brentq

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

    Chandrupatla's method, of one root Brent's: inverse quadratic interpolation where the last three
    points allow it, else the middle. A third of the evaluations of bisection.
    The function is evaluated strictly between the bounds, so it may be infinite there. Where it
    does not change sign the nearer bound is returned, to 2⁻⁴⁰ of their distance.

    Source: Chandrupatla, A new hybrid quadratic/bisection algorithm (1997).
    """
    low, high = (np.broadcast_to(as_float(end), shape) for end in (lower, upper))
    inset = (high - low) * 2.0**-40
    a, b = high - inset, low + inset  # the root lies between them; a is the newest point
    f_a, f_b = rising(a), rising(b)
    c, f_c = a, f_a
    below, above = f_a <= 0, f_b >= 0
    if a.size == 1 and not below.any() and not above.any():
        xtol = max(float((high - low).item()) * 2.0**-52, np.finfo(np.float64).tiny)
        root = brentq(
            lambda x: np.asarray(rising(np.full(shape, x))).item(),
            b.item(),
            a.item(),
            (),
            xtol,
            _RTOL,
        )
        return np.full(shape, root)
    done = below | above
    finest = (high - low) * 2.0**-52
    part = np.full(shape, 0.5)
    for _ in range(_MOST_STEPS):
        x = a + part * (b - a)
        f_x = rising(x)
        same = np.sign(f_x) == np.sign(f_a)
        c, f_c = np.where(same | done, a, b), np.where(same | done, f_a, f_b)
        b, f_b = np.where(same | done, b, a), np.where(same | done, f_b, f_a)
        a, f_a = np.where(done, a, x), np.where(done, f_a, f_x)
        nearest = np.where(np.abs(f_a) < np.abs(f_b), a, b)
        with np.errstate(divide="ignore", invalid="ignore"):
            least = np.maximum(_RTOL / 2 * np.abs(nearest), finest) / np.abs(b - a)
            done = done | ~(least < 0.5) | (f_a == 0)
            if done.all():
                break
            along, up = (a - b) / (c - b), (f_a - f_b) / (f_c - f_b)
            quadratic = (up**2 < along) & ((1 - up) ** 2 < 1 - along)
            bent = f_a / (f_b - f_a) * f_c / (f_b - f_c)
            bent = bent + (c - a) / (b - a) * f_a / (f_c - f_a) * f_b / (f_c - f_b)
        usable = quadratic & np.isfinite(bent)
        part = np.where(usable, np.clip(bent, least, 1 - least), 0.5)
    root = np.where(np.abs(f_a) < np.abs(f_b), a, b)
    return np.asarray(np.where(below, high, np.where(above, low, root)))


_MOST_STEPS, _RTOL = 100, 4 * np.finfo(np.float64).eps
