"""Measures of a matrix at a wanted error by the cheapest method."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core.errors import InputError
from spectrain.matrix.backends import spectrum, tries_float32
from spectrain.matrix.gram import panelled, singular_values, small_gram
from spectrain.matrix.inputs import dense
from spectrain.matrix.measures import MEASURES
from spectrain.matrix.probing import LEAST
from spectrain.matrix.sketch import DENSE, SKETCHED, Sketch, SketchEstimate, of_spectrum, sketch
from spectrain.matrix.spectrum import Spectrum, SpectrumStatus

Choice = Literal["auto", "spectrum", "sketch"]

PRODUCTS = 6.0
"""Products that a sketch takes on a matrix of noise or a slow power law, times ``rtol``; measured
4 to 20 at 1 to 3 % on 2048² and 4096²."""

LEAST_SKETCHED = 0.005
"""Wanted errors below this are not tried: the number of products grows as their inverse square."""

TRIAL = 0.5
"""Most that a sketch may cost, in terms of the spectrum that it saves; lost where it fails."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of one unit of work on a device; only their ratios matter.

    Attributes:
        gram: a multiplication of the d²·max(m, n) of a Gram matrix, float32 and float64.
        eigenvalues: a d³-th of the eigenvalues of a Gram matrix, float32 and float64.
        product: a multiplication of the m·n of a float32 matrix with a vector, eight at a time.
    """

    gram: tuple[float, float]
    eigenvalues: tuple[float, float]
    product: float

    def of_spectrum(self, shape: tuple[int, int], dtype: torch.dtype) -> float:
        """Expected seconds of a spectrum by the Gram matrix in ``dtype``."""
        small, longer = min(shape), max(shape)
        index = int(dtype == torch.float64)
        return self.gram[index] * longer * small**2 + self.eigenvalues[index] * small**3

    def of_products(self, shape: tuple[int, int]) -> float:
        """Expected seconds of one product with a vector in a sketch."""
        return self.product * shape[0] * shape[1]


COSTS: dict[str, Costs] = {
    "cpu": Costs(gram=(1.3e-11, 2.4e-11), eigenvalues=(5.5e-11, 9.5e-11), product=1.2e-10),
}
"""Measured on one x86-64 core, torch 2.13.0, NumPy 2.4.6, at 768 to 2048; see :func:`measure_costs`
for other devices. Where none are known, no sketch is tried."""


@dataclass(frozen=True, slots=True)
class Estimates:
    """Measures of one matrix and how they were obtained.

    Attributes:
        values: by name of the measure, with intervals.
        method: back end and precision, ``"sketch"`` where products sufficed.
        spectrum: all singular values; ``None`` if sketched.
        sketch: the sketch; ``None`` if not.
    """

    values: Mapping[str, SketchEstimate]
    method: str
    spectrum: Spectrum | None
    sketch: Sketch | None


def estimate(
    matrix: Float[Tensor, "m n"],
    measures: Sequence[str] = SKETCHED,
    *,
    rtol: float = 0.02,
    method: Choice = "auto",
    costs: Costs | None = None,
    generator: torch.Generator | None = None,
) -> Estimates:
    """Measures of a matrix at a wanted error, by the method that costs least.

    ``auto`` sketches where that is expected to cost less than half of a spectrum, by shape,
    wanted error and the device's measured costs; where the sketch does not reach the error on
    that, it takes the spectrum, in float32 where its bound suffices.

    Args:
        matrix: any floating dtype.
        measures: names of :data:`~spectrain.matrix.MEASURES`; a sketch knows
            :data:`~spectrain.matrix.SKETCHED`, others need the spectrum.
        rtol: wanted relative half width of the 95 % intervals of nuclear norm and effective rank.
        method: the choice, if not automatic.
        costs: of the device, by :func:`measure_costs`; those in ``COSTS`` if not given.
        generator: draws the probes of a sketch.

    Raises:
        InputError: an unknown measure, one that no sketch knows with ``method="sketch"``, or a
            matrix that is not finite or empty.

    Example:
        >>> import torch
        >>> estimated = estimate(torch.eye(64), ["nuclear_norm"])
        >>> estimated.method, estimated.values["nuclear_norm"].value
        ('gram/float64', 64.0)
    """
    matrix = dense(matrix, what="an estimate")
    _check(matrix, measures, method)
    if method == "sketch":
        return _sketched(sketch(matrix, rtol=rtol, generator=generator), measures)
    if method == "auto" and set(measures) <= set(SKETCHED):
        costs = costs or COSTS.get(matrix.device.type)
        products = 0 if costs is None else worthwhile_products(matrix, rtol, costs)
        if products:
            sketched = sketch(matrix, rtol=rtol, products=products, generator=generator)
            if sketched.half_width <= rtol:
                return _sketched(sketched, measures)
    exact = spectrum(matrix, rtol=rtol)
    if exact.status == SpectrumStatus.NOT_FINITE:
        raise InputError("the matrix holds NaN or Inf", remedy="skip the step")
    values = {name: of_spectrum(exact, MEASURES[name]) for name in measures}
    return Estimates(values, exact.method, exact, None)


def worthwhile_products(matrix: Float[Tensor, "m n"], rtol: float, costs: Costs) -> int:
    """Products with a vector that a sketch may spend; 0 where it is not worth trying.

    Example:
        >>> import torch
        >>> big, small = torch.empty(4096, 4096), torch.empty(300, 4096)
        >>> worthwhile_products(big, 0.02, COSTS["cpu"]) > 1000
        True
        >>> worthwhile_products(small, 0.02, COSTS["cpu"])
        0
    """
    shape = (matrix.shape[0], matrix.shape[1])
    if min(shape) <= DENSE or rtol < LEAST_SKETCHED:
        return 0
    dtype = torch.float32 if tries_float32(matrix, rtol) else torch.float64
    whole = costs.of_spectrum(shape, dtype)
    affordable = int(TRIAL * whole / costs.of_products(shape))
    return affordable if affordable >= max(PRODUCTS / rtol, LEAST) else 0


def measure_costs(
    device: torch.device | str = "cpu", *, size: int = 1024, rounds: int = 3
) -> Costs:
    """Measure the costs that :func:`estimate` chooses by, on this machine.

    Args:
        device: where.
        size: side of the square matrices; take one that matters, since rates depend on it.
        rounds: the least time of this many runs counts.
    """
    device = torch.device(device)
    generator = torch.Generator(device).manual_seed(0)
    matrix = torch.randn(size, size, generator=generator, device=device)
    starts = torch.randn(8, size, generator=generator, device=device)

    def seconds(call: Callable[[], object]) -> float:
        times = []
        for _ in range(rounds + 1):
            before = _clock(device)
            call()
            times.append(_clock(device) - before)
        return min(times[1:])

    def both(dtype: torch.dtype) -> tuple[float, float]:
        wide = matrix.to(dtype)
        if device.type == "cpu":
            product = seconds(lambda: panelled(wide, 1.0, dtype))
        else:
            product = seconds(lambda: small_gram(wide))
        gram = small_gram(wide)
        return product, seconds(lambda: singular_values(gram, size, dtype))

    single, double = both(torch.float32), both(torch.float64)
    cube = size**3
    return Costs(
        gram=(single[0] / cube, double[0] / cube),
        eigenvalues=(single[1] / cube, double[1] / cube),
        product=seconds(lambda: (starts @ matrix) @ matrix.mT) / (16 * size**2),
    )


def _clock(device: torch.device) -> float:
    if device.type == "cpu":
        return process_time()
    torch.accelerator.synchronize(device)
    return perf_counter()


def _sketched(made: Sketch, measures: Sequence[str]) -> Estimates:
    return Estimates({name: getattr(made, name) for name in measures}, "sketch", None, made)


def _check(matrix: Tensor, measures: Sequence[str], method: Choice) -> None:
    unknown = [name for name in measures if name not in MEASURES]
    if unknown:
        raise InputError(f"no measure is called {unknown[0]!r}", remedy=f"one of {[*MEASURES]}")
    if method == "sketch" and not set(measures) <= set(SKETCHED):
        missing = sorted(set(measures) - set(SKETCHED))
        raise InputError(f"a sketch does not know {missing}", remedy="take method='auto'")
    if not matrix.numel():
        raise InputError("the matrix is empty", remedy="leave it out")
