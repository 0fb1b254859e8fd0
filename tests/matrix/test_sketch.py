"""Sketched spectra against exact ones: coverage, bounds, budget, and what they refuse."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import pytest
import torch
from torch import Tensor

from spectrain.core.errors import InputError
from spectrain.matrix import MEASURES, Spectrum, SpectrumStatus
from spectrain.matrix.lanczos import begin, extend, no_triples, ritz, ritz_mixing, rules
from spectrain.matrix.probing import LEAST
from spectrain.matrix.sketch import LOOSEST, Sketch, _loosened, sketch
from support.prescribed import exponential, flat, orthonormal, rank_one, spike_and_bulk

SIZE, LONGER = 320, 400

ESTIMATES = ("nuclear_norm", "effective_rank", "nuclear_rank", "operator_norm", "stable_rank")


def power(exponent: float) -> Callable[[int], Tensor]:
    return lambda r: torch.arange(1, r + 1, dtype=torch.float64) ** -exponent


def rank_twenty(r: int) -> Tensor:
    return (torch.arange(r) < 20).double()


def quarter_circle(r: int) -> Tensor:
    """Singular values of a square Gaussian matrix, at the middles of r equal shares of area."""
    grid = torch.linspace(0, 2, 20001, dtype=torch.float64)
    area = torch.cumulative_trapezoid((4 - grid.square()).sqrt(), grid)
    share = (torch.arange(r, dtype=torch.float64) + 0.5) / r * area[-1]
    return grid[1:][torch.searchsorted(area, share)].flip(0)


def spiked(r: int, size: float, count: int = 1) -> Tensor:
    bulk = torch.linspace(1.0, 0.5, r, dtype=torch.float64)
    bulk[:count] = size
    return bulk


SPECTRA: dict[str, Callable[[int], Tensor]] = {
    "flat": flat,
    "power law": power(1.0),
    "slow power law": power(0.5),
    "exponential": exponential,
    "slow exponential": lambda r: exponential(r, decades=1),
    "spike and bulk": spike_and_bulk,
    "Gaussian": quarter_circle,
    "low rank": rank_twenty,
    "rank one": rank_one,
    "steep power law": power(2.0),
    "zeros": lambda r: (torch.arange(r) < r // 2).double(),
    "clusters": lambda r: (
        torch.tensor([100.0, 10.0, 1.0]).double().repeat_interleave(r // 3 + 1)[:r]
    ),
    "ladder": lambda r: torch.cat([10.0 ** torch.arange(6.0, 0, -1), torch.ones(r - 6)]).double(),
    "nine spikes": lambda r: spiked(r, 1e5, count=9),
    **{f"spike {size:.0e}": partial(spiked, size=size) for size in (1e2, 1e3, 1e4, 1e5, 1e6)},
}


def covered(found: Sketch, values: Tensor) -> dict[str, bool]:
    """Which intervals hold the truth, up to 1e-6 of it."""
    status = torch.tensor(int(SpectrumStatus.OK), dtype=torch.int8)
    exact = Spectrum(values, torch.zeros_like(values), (SIZE, LONGER), "prescribed", status)
    held = {}
    for name in ESTIMATES:
        truth, estimate = MEASURES[name](exact).item(), getattr(found, name)
        assert estimate.low <= estimate.value <= estimate.high
        slack = 1e-6 * truth
        held[name] = estimate.low - slack <= truth <= estimate.high + slack
    return held


def cases(
    names: Iterable[str], dtypes: Sequence[torch.dtype], repeats: int, generator: torch.Generator
) -> list[dict[str, bool]]:
    """The truth is the spectrum of the matrix as its dtype holds it."""
    left = orthonormal(SIZE, SIZE, generator)
    right = orthonormal(LONGER, SIZE, generator)
    results = []
    for name in names:
        exact = (left * SPECTRA[name](SIZE)) @ right.mT
        for dtype in dtypes:
            matrix = exact.to(dtype)
            values = torch.linalg.svdvals(matrix.double())
            for _ in range(repeats):
                results.append(covered(sketch(matrix, rtol=0.03, generator=generator), values))
    return results


def test_intervals_cover_a_few(generator: torch.Generator) -> None:
    results = cases(SPECTRA, [torch.float32], 1, generator)
    for name in ESTIMATES:
        held = sum(result[name] for result in results)
        assert held >= len(results) - 4, name  # 20 cases at 95 %: 5 misses have probability 0.003


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
def test_intervals_cover(dtype: torch.dtype, generator: torch.Generator) -> None:
    results = cases(SPECTRA, [dtype], 25, generator)
    for name in ESTIMATES:
        assert sum(result[name] for result in results) >= 0.93 * len(results), name


@pytest.mark.slow
def test_no_spectrum_is_misjudged(generator: torch.Generator) -> None:
    """A spectrum whose intervals miss more often than chance lets them: 40 draws, at most 7 misses.

    At 95 % a given spectrum misses 8 times or more with probability 0.0006.
    """
    for spectrum in SPECTRA:
        results = cases([spectrum], [torch.float32], 40, generator)
        for name in ESTIMATES:
            assert sum(not result[name] for result in results) <= 7, (spectrum, name)


def test_probes_are_not_what_the_matrix_was_drawn_from() -> None:
    """Data and sketch seeded alike: the first probe would be the leading singular vector."""
    size = 384
    left = torch.randn(8, size, generator=torch.Generator().manual_seed(0))[0]
    draw = torch.Generator().manual_seed(42)
    right = torch.randn(size, generator=draw)
    noise = torch.randn(size, size, generator=draw) / size**0.5
    spike = 300 * torch.outer(left, right) / left.norm() / right.norm()
    truth = torch.linalg.svdvals((noise + spike).double()).sum().item()
    found = sketch(noise + spike, generator=torch.Generator().manual_seed(0)).nuclear_norm
    assert found.low <= truth <= found.high


def test_a_mean_that_dominates(generator: torch.Generator) -> None:
    matrix = 100 + 0.02 * torch.randn(SIZE, LONGER, generator=generator)
    held = covered(sketch(matrix, generator=generator), torch.linalg.svdvals(matrix.double()))
    assert all(held.values()), held


@pytest.mark.parametrize("name", SPECTRA)
def test_rules_bound_the_quadratic_form(name: str, generator: torch.Generator) -> None:
    values = SPECTRA[name](SIZE)
    left, right = orthonormal(SIZE, SIZE, generator), orthonormal(LONGER, SIZE, generator)
    matrix = (left * values) @ right.mT
    starts = orthonormal(SIZE, 3, generator).mT.contiguous()
    expected = ((starts @ left).square() * values).sum(1)
    krylov = extend(matrix, begin(starts, LONGER), 9, removed=no_triples(matrix), floor=1e-13)
    nodes, weights = rules(krylov)
    upper, lower = (nodes * weights).sum(-1).unbind(1)
    assert (lower <= expected + 1e-12 * values[0]).all()
    assert (expected <= upper + 1e-12 * values[0]).all()
    again = extend(
        matrix,
        extend(matrix, begin(starts, LONGER), 4, removed=no_triples(matrix), floor=1e-13),
        5,
        removed=no_triples(matrix),
        floor=1e-13,
    )
    torch.testing.assert_close(rules(again)[0], nodes, rtol=1e-9, atol=1e-12)


def test_ritz_triples(generator: torch.Generator) -> None:
    values = power(1.0)(SIZE)
    left, right = orthonormal(SIZE, SIZE, generator), orthonormal(LONGER, SIZE, generator)
    matrix = ((left * values) @ right.mT).float()
    starts = orthonormal(SIZE, 8, generator).mT.float()
    krylov = extend(matrix, begin(starts, LONGER), 12, removed=no_triples(matrix), floor=1e-7)
    approximate, mixing = ritz_mixing(krylov)
    found = ritz(matrix, krylov, mixing[:, :10])
    assert (approximate[:10] - values[:10]).abs().max() < 1e-4
    for vector in range(10):  # some singular value lies within the residual of each Ritz value
        gap = (values - found.values[vector]).abs().min()
        assert gap <= found.residual[vector] + 1e-6
    torch.testing.assert_close(found.left @ found.left.mT, torch.eye(10), atol=1e-5, rtol=0)


def test_wanted_error_is_met_or_the_budget_spent(generator: torch.Generator) -> None:
    matrix = torch.randn(SIZE, LONGER, generator=generator)
    found = sketch(matrix, rtol=0.03, generator=generator)
    norm = found.nuclear_norm
    assert norm.high - norm.low <= 2 * 0.03 * norm.value
    assert found.products < 4 * SIZE
    small = sketch(matrix, rtol=0.0, products=600, generator=generator)
    large = sketch(matrix, rtol=0.0, products=4800, generator=generator)
    assert 400 <= small.products <= 600 < 4000 <= large.products <= 4800
    assert large.nuclear_norm.standard_error < small.nuclear_norm.standard_error


def test_orientation_dtype_and_scale(generator: torch.Generator) -> None:
    matrix = torch.randn(SIZE, LONGER, generator=generator)
    found = sketch(matrix, generator=torch.Generator().manual_seed(1))
    flipped = sketch(matrix.mT, generator=torch.Generator().manual_seed(1))
    scaled = sketch(matrix.double() * 2.0**200, generator=torch.Generator().manual_seed(1))
    assert flipped.nuclear_norm.value == pytest.approx(found.nuclear_norm.value, rel=1e-5)
    assert scaled.nuclear_norm.value == pytest.approx(2.0**200 * found.nuclear_norm.value, rel=1e-5)
    assert scaled.nuclear_rank.value == pytest.approx(found.nuclear_rank.value, rel=1e-5)
    exact = torch.linalg.matrix_norm(matrix.double()).item()
    assert found.frobenius_norm.value == pytest.approx(exact, rel=1e-12)
    half = sketch(matrix.bfloat16(), generator=torch.Generator().manual_seed(1))
    assert half.nuclear_norm.value == pytest.approx(found.nuclear_norm.value, rel=1e-3)


def test_same_generator_same_answer() -> None:
    matrix = torch.randn(SIZE, LONGER, generator=torch.Generator().manual_seed(2))
    state = torch.get_rng_state()
    first, second = (sketch(matrix, rtol=0.03) for _ in range(2))
    assert first.nuclear_norm == second.nuclear_norm
    assert torch.equal(torch.get_rng_state(), state)


def test_density(generator: torch.Generator) -> None:
    matrix = torch.randn(SIZE, LONGER, generator=generator)
    values = torch.linalg.svdvals(matrix.double())
    found = sketch(matrix, rtol=0.01, generator=generator)
    assert found.weights.sum().item() == pytest.approx(SIZE)
    edges = torch.linspace(0, 1.01, 6, dtype=torch.float64) * values[0]
    exact = torch.histc(values, 5, 0.0, edges[-1].item())
    assert (found.counts(edges) - exact).abs().max() < 0.06 * SIZE  # measured 0.03


def test_small_and_zero_matrices_are_exact(generator: torch.Generator) -> None:
    matrix = torch.randn(20, 30, generator=generator)
    found = sketch(matrix)
    exact = torch.linalg.svdvals(matrix.double()).sum().item()
    assert found.probes == 0
    assert found.nuclear_norm.standard_error == 0
    assert found.nuclear_norm.value == pytest.approx(exact, rel=1e-9)
    assert sketch(torch.zeros(SIZE, LONGER)).nuclear_norm.value == 0


@pytest.mark.parametrize("seed", range(4))
def test_what_is_left_of_one_column_is_rounding(seed: int) -> None:
    matrix = torch.zeros(300, 300)
    matrix[:, 9] = torch.randn(300, generator=torch.Generator().manual_seed(seed))
    found = sketch(matrix)
    norm = matrix.double().norm().item()
    assert found.nuclear_norm.low <= norm * (1 + 1e-12)
    assert found.nuclear_norm.high >= norm * (1 - 1e-12)
    assert found.effective_rank.value == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize(
    ("matrix", "products"),
    [
        (torch.zeros(0, 3), None),
        (torch.full((2, 2), torch.nan), None),
        (torch.ones(300, 300), LEAST - 1),
    ],
)
def test_refuses(matrix: Tensor, products: int | None) -> None:
    with pytest.raises(InputError):
        sketch(matrix, products=products)


def test_what_is_a_small_part_may_be_known_less_well() -> None:
    """As loosely as an error of the rest's Σσ and entropy leaves that of the whole's entropy."""
    rest = torch.full((40, 40), 1e-3)
    whole, likely = 10.0, 40**0.5 * 40 * 1e-3
    share = likely / (whole + likely)
    loosened = _loosened(0.01, whole, rest, 1.0)
    lever = abs(math.log((1 - share) / share)) + math.log(40)
    assert loosened == pytest.approx(0.01 / (share * (1 + (1 - share) * lever)))
    assert 0.01 < loosened < LOOSEST
    assert _loosened(0.01, 0.0, rest, 1.0) == 0.01
