from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import brute
from scipy.stats import entropy

from spectrain.checkpoint.weightwatcher import COLUMNS, PREFIX, weightwatcher_records
from spectrain.checkpoint.weightwatcher.bulk import fit_bulk
from spectrain.checkpoint.weightwatcher.columns import OF_TAILS, determinant_columns, levels_of
from spectrain.checkpoint.weightwatcher.tail import Tail, fit_tail, fit_tail_as
from spectrain.core import InputError
from spectrain.matrix import spectrum
from spectrain.rmt.ensembles import laguerre_eigenvalues


def naive_tail(eigenvalues: np.ndarray) -> tuple[float, float, float]:
    """(α, xmin, D) by the definition, one start after the other."""
    x = sorted(value for value in eigenvalues.tolist() if value > 1e-5)
    few = len(x) < 20
    best = (math.inf, 0.0, 0.0)
    for start in range(len(x) - 1):
        tail = x[start:]
        n = len(tail)
        total = sum(math.log(value / x[start]) for value in tail)
        if total <= 0 or (few and n < 8):
            continue
        alpha = 1 + (n - 1 if few else n) / total
        gap = max(
            abs(1 - (value / x[start]) ** (1 - alpha) - i / n) for i, value in enumerate(tail)
        )
        best = min(best, (gap, alpha, x[start]))
    return best[1], best[2], best[0]


def naive_sigma(eigenvalues: np.ndarray, larger: int, smaller: int) -> float:
    """σ by the definition: brute force over the residual of a kernel density."""
    q = larger / smaller
    unit = eigenvalues * len(eigenvalues) / eigenvalues.sum()
    values = np.sqrt(unit) if larger == smaller else unit
    x = np.linspace(0, values.max() + 0.5, 1000)
    distance = np.abs(x[:, None] - values[None, :]) / 0.1
    density = np.maximum(1 - distance, 0).sum(1) / (0.1 * len(values))
    x, density = x[density > 0.01], density[density > 0.01]

    def residual(p: np.ndarray) -> float:
        sigma = float(np.atleast_1d(p)[0])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if larger == smaller:
                law = np.nan_to_num(np.sqrt(4 - x**2) / (np.pi * sigma**2))
                return float(((law - density) ** 2).sum())
            b, a = (sigma * (1 + q**-0.5)) ** 2, (sigma * (1 - q**-0.5)) ** 2
            mode = x[density == density.max()][0]
            if b < mode or b > x.max() or a > mode:
                return 1e6 * len(x)
            law = np.nan_to_num(q * np.sqrt((b - x) * (x - a)) / (2 * np.pi * sigma**2 * x))
            return float(((law - density) ** 2).sum())

    unit_sigma = math.sqrt(unit.max()) / (1 + q**-0.5)
    grid = (slice(0.05 * unit_sigma, 2 * unit_sigma, 0.01 * unit_sigma),)
    return float(brute(residual, grid, full_output=True)[0][0])


def heavy(count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.pareto(2.0, count // 4) + 1, rng.random(count - count // 4)])


@pytest.mark.parametrize("count", [8, 12, 19, 20, 64, 300])
@pytest.mark.parametrize("seed", range(3))
def test_tail_against_the_definition(count: int, seed: int) -> None:
    eigenvalues = heavy(count, seed)
    fit = fit_tail(eigenvalues)
    alpha, start, distance = naive_tail(eigenvalues)
    assert fit.alpha == pytest.approx(alpha, rel=1e-12)
    assert (fit.start, fit.distance) == pytest.approx((start, distance), rel=1e-12)
    assert fit.count == (eigenvalues >= start).sum()
    assert fit.error == pytest.approx((alpha - 1) / math.sqrt(fit.count))


@pytest.mark.parametrize("values", [[], [1.0], [2.0] * 30, [1e-9] * 30])
def test_no_tail(values: list[float]) -> None:
    with pytest.raises(InputError, match="no tail"):
        fit_tail(np.array(values))


@pytest.mark.parametrize("shape", [(300, 100), (120, 120), (2000, 64)])
@pytest.mark.parametrize("seed", range(2))
def test_bulk_against_the_definition(shape: tuple[int, int], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    (levels,) = laguerre_eigenvalues(shape, count=1, generator=generator)
    levels[-3:] *= 4
    fit = fit_bulk(levels, *shape)
    sigma = naive_sigma(levels, *shape)
    assert fit.sigma == pytest.approx(sigma, rel=1e-9)
    q, scale = shape[0] / shape[1], len(levels) / levels.sum()
    edge = sigma**2 * (1 + q**-0.5) ** 2
    margin = math.sqrt(q**-0.5 * edge ** (2 / 3) * shape[1] ** (-2 / 3))
    assert fit.spikes == (levels * scale > edge + margin).sum()
    assert fit.softrank == pytest.approx(edge / (levels.max() * scale), rel=1e-9)
    assert fit.edges[1] == pytest.approx(edge / scale, rel=1e-9)


def columns(weight: torch.Tensor, **options: Any) -> dict[str, float | None]:
    records = weightwatcher_records(weight, "w", 0, **options)
    return {record.measure.removeprefix(PREFIX): record.value for record in records}


def test_columns_of_a_matrix(generator: torch.Generator) -> None:
    weight = torch.randn(60, 40, generator=generator)
    found = columns(weight)
    x = np.linalg.svd(weight.double().numpy(), compute_uv=False) ** 2
    share = x / x.sum() + 1e-10
    expected = {
        "N": 60,
        "M": 40,
        "Q": 1.5,
        "rf": 1,
        "num_evals": 40,
        "matrix_rank": 40,
        "rank_loss": 0,
        "norm": x.sum(),
        "log_norm": math.log10(x.sum()),
        "stable_rank": x.sum() / x.max(),
        "log_spectral_norm": math.log10(x.max()),
        "lambda_max": x.max(),
        "entropy": entropy(share) * share.sum() / math.log(40) + share.sum() * 0,
        "xmax": x.max(),
        "log_alpha_norm": math.log10((x ** found["alpha"]).sum()),
        "alpha_weighted": found["alpha"] * math.log10(x.max()),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-7), name


def test_columns_of_a_convolution(generator: torch.Generator) -> None:
    weight = torch.randn(12, 7, 3, 3, generator=generator)
    found = columns(weight)
    slices = [weight[:, :, i, j].double().numpy() for i in range(3) for j in range(3)]
    x = np.concatenate([np.linalg.svd(s, compute_uv=False) ** 2 / 2 for s in slices])
    assert found["norm"] == pytest.approx(x.sum())
    assert (found["rf"], found["num_evals"], found["N"], found["M"]) == (9, 63, 12, 7)
    assert found["alpha"] == pytest.approx(naive_tail(x)[0])


def test_a_lost_rank_is_counted(generator: torch.Generator) -> None:
    left, right = torch.randn(50, 39, generator=generator), torch.randn(39, 40, generator=generator)
    weight = left.double() @ right.double()
    assert columns(weight, fits=False)["rank_loss"] == 1
    assert levels_of(weight, spectrum(weight)).rank == 39


def test_random_columns_follow_the_seed(generator: torch.Generator) -> None:
    weight = torch.randn(80, 50, generator=generator)
    first = weightwatcher_records(weight, "w", 0)
    assert first == weightwatcher_records(weight, "w", 0)
    assert first != weightwatcher_records(weight, "w", 0, seed=1)
    found = columns(weight)
    # The shuffled copy of a random matrix is one of its kind.
    assert found["rand_sigma_mp"] == pytest.approx(1, abs=0.1)
    assert found["max_rand_eval"] == pytest.approx(found["lambda_max"], rel=0.25)


@pytest.mark.parametrize(
    ("weight", "reason"),
    [
        (torch.ones(3), "no columns for 1-D"),
        (torch.ones(2, 2, 2), "no columns for 3-D"),
        (torch.full((3, 3), math.nan), "NaN or Inf"),
        (torch.ones(0, 3), "empty"),
        (torch.zeros(20, 20), "zero matrix"),
        (torch.ones(20, 20), "make no tail"),
        (torch.full((20, 20), 1e300, dtype=torch.float64), ""),
    ],
)
def test_what_has_no_columns_has_a_reason(weight: torch.Tensor, reason: str) -> None:
    records = weightwatcher_records(weight, "w", 0)
    told = [record.reason or "" for record in records if record.value is None]
    assert any(reason in text for text in told)
    assert all(record.value is None or math.isfinite(record.value) for record in records)


def test_all_columns_are_listed(generator: torch.Generator) -> None:
    rows = weightwatcher_records(torch.randn(60, 40, generator=generator), "w", 0)
    assert sorted(row.measure.removeprefix(PREFIX) for row in rows) == sorted(
        set(COLUMNS) - set(OF_TAILS)
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_determinant_against_its_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = np.sort(rng.pareto(2.0, 60) + 0.01)
    unit = x * len(x) / x.sum()
    first = next(i for i in range(len(x) - 1, 0, -1) if math.prod(unit[i:]) < 1.0)
    found = determinant_columns(x)
    assert found["detX_num"] == found["num_ERG_spikes"] == len(x) - first
    assert found["detX_val"] == x[first]
    assert found["detX_val_unrescaled"] == pytest.approx(unit[first], rel=1e-14)


def test_a_tail_whose_product_stays_above_one_is_all() -> None:
    found = determinant_columns(np.array([1e-9, 1.0, 1.0]))
    assert (found["detX_num"], found["detX_val"]) == (3, 1.0)


def spiked(seed: int) -> np.ndarray:
    """Eigenvalues of noise with a few large directions."""
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((120, 60)) * 0.1
    matrix += rng.standard_normal((120, 4)) @ rng.standard_normal((4, 60)) * 0.05 * (1 + seed)
    return np.sort(np.linalg.svd(matrix, compute_uv=False) ** 2)


def naive_scan(x: list[float], low: float, high: float) -> tuple[float, float, float]:
    """(D, α, xmin) over the starts between two numbers, the last of them left out."""
    best = (math.inf, 0.0, 0.0)
    for start in [value for value in x if low <= value <= high][:-1]:
        tail = [value for value in x if value >= start]
        alpha = 1 + len(tail) / sum(math.log(value / start) for value in tail)
        gap = max(
            abs(1 - (value / start) ** (1 - alpha) - i / len(tail)) for i, value in enumerate(tail)
        )
        best = min(best, (gap, alpha, start))
    return best


@pytest.mark.parametrize("seed", range(3))
def test_tails_that_start_near_the_peak(seed: int) -> None:
    x = spiked(seed)
    counts, edges = np.histogram(np.log10(x), bins=100)
    peak = 10 ** edges[counts.argmax()]
    low, high = sorted((math.log10(0.95 * peak), 1.5 * peak))
    found = fit_tail_as(x, Tail("PL", "xmin_peak"))
    distance, alpha, start = naive_scan(x.tolist(), low, high)
    assert found.alpha == pytest.approx(alpha, rel=1e-9)
    assert found.start == pytest.approx(start)
    assert found.distance == pytest.approx(distance, rel=1e-9)
    cut = fit_tail_as(x, Tail("E_TPL"))
    assert low <= cut.start <= high
    assert cut.rate is not None
    assert cut.alpha >= 1


@pytest.mark.parametrize("seed", range(3))
def test_fingers_are_clipped_off(seed: int) -> None:
    x = spiked(seed)
    raw = naive_tail(x)
    wanted, clipped = raw, 0
    for left in range(2, 10):
        fit = naive_tail(x[:-left])
        if fit[0] + 1 < raw[0]:
            wanted, clipped = fit, left - 1
            break
        if fit[0] <= 2:
            break
    found = fit_tail_as(x, Tail("PL", "clip_xmax"))
    assert found.raw_alpha == pytest.approx(raw[0], rel=1e-9)
    assert found.alpha == pytest.approx(wanted[0])
    assert found.start == pytest.approx(wanted[1])
    assert found.clipped == clipped


def test_columns_of_every_fit() -> None:
    weight = torch.randn(60, 40, generator=torch.Generator().manual_seed(0))
    for tail, extra in (
        (Tail("TPL"), {"Lambda"}),
        (Tail("E_TPL"), {"Lambda"}),
        (Tail("PL", "xmin_peak"), set[str]()),
        (Tail("PL", "clip_xmax"), {"num_fingers", "raw_alpha"}),
    ):
        rows = weightwatcher_records(weight, "w", 0, fits=False, tail=tail)
        told = {row.measure.removeprefix(PREFIX): row for row in rows}
        assert extra <= told.keys()
        assert (told["sigma"].value is None) == ("Lambda" in extra)
        assert told.keys() <= set(COLUMNS)
    with pytest.raises(InputError, match="clip_xmax"):
        Tail("TPL", "clip_xmax")
