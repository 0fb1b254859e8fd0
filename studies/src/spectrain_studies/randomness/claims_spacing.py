"""Claims on the spacings of degenerate pairs: their law and how it scales."""

from __future__ import annotations

import numpy as np

from spectrain.noise.estimate import Estimate, symmetric
from spectrain.rmt import WignerSurmise
from spectrain_studies.frame import Judgement, Results, below, combined, within
from spectrain_studies.randomness.config import Config
from spectrain_studies.randomness.machine import REST, sweep_points
from spectrain_studies.randomness.statistics import (
    MANY,
    PAIRS,
    base,
    coefficient,
    distance,
    finite_rate,
    log_slope,
    mean_spacing,
    pair_modes,
    ratio,
    slope,
    smallest,
    spacings,
    width,
)
from spectrain_studies.randomness.study import STUDY


@STUDY.claim(
    "surmise-of-pairs",
    source="slide “Wigner surmise: 4 degenerate pairs”",
    statement="Spacings of the four degenerate pairs follow the surmise, one curve in S/⟨S⟩",
    statistic="Kolmogorov distance of S/⟨S⟩ from (π/2)s exp(−πs²/4), largest over pairs",
    criterion="below 0.05",
    needs=(REST,),
)
def surmise_pairs(config: Config, rest: Results) -> Judgement:
    result = base(rest, config)
    parts = {}
    for pair, kappa in zip(PAIRS, pair_modes(config), strict=True):
        s = spacings(result["levels"], pair)
        parts[f"κ = {kappa:.3f}"] = below(
            distance(s / s.mean(), WignerSurmise()), 0.05, seeds=s.shape[1]
        )
    return combined(parts)


@STUDY.claim(
    "data-collapse",
    source="slide “Wigner surmise: 4 degenerate pairs”",
    statement="All learning rates, batch sizes and pairs fall on one curve",
    statistic="Kolmogorov distance of all S/⟨S⟩ together from the surmise, and of the worst point",
    criterion="below 0.02 together and below 0.06 for every point and pair",
    needs=(REST,),
)
def data_collapse(config: Config, rest: Results) -> Judgement:
    scaled = [
        spacings(result["levels"], pair) / spacings(result["levels"], pair).mean()
        for point in sweep_points(config)
        for result in rest.where(rate=point[0], batch=point[1])
        for pair in PAIRS
    ]
    together = distance(np.concatenate([s.ravel() for s in scaled]), WignerSurmise())
    worst = max(distance(s, WignerSurmise()) for s in scaled)
    return combined({"together": below(together, 0.02), "worst": below(worst, 0.06)})


def _root(result_case: object, kappa: float, config: Config) -> float:
    """√((α/|B|)(μ² − κ))."""
    rate, batch = result_case.rate, result_case.batch  # type: ignore[attr-defined]
    return float((rate / batch * (config.machine.mass_squared - kappa)) ** 0.5)


def _fit(config: Config, rest: Results, *, corrected: bool) -> Estimate:
    """A of ⟨S⟩ = a √((α/|B|)(μ² − κ)) over points and pairs, with |B| ≥ 16 as the document."""
    xs, ys = [], []
    one = config.machine
    for rate, batch in sweep_points(config):
        if batch < 16:
            continue
        result = rest.where(rate=rate, batch=batch).only()
        for pair, kappa in zip(PAIRS, pair_modes(config), strict=True):
            factor = (
                finite_rate(rate, one.mass_squared - kappa, kappa, one.mass_squared, one.sweeps)
                if corrected
                else 1.0
            )
            xs.append(factor * _root(result.case, kappa, config))
            ys.append(mean_spacing(result, pair))
    return coefficient(xs, ys)


@STUDY.claim(
    "spacing-coefficient",
    source="slide “Wigner surmise: vary learning rate and batch size”",
    statement="⟨S⟩ = a √((α/|B|)(μ² − κ)); theory as α → 0 says a = √(2π) = 2.507",
    statistic="fitted a without corrections, |B| ≥ 16",
    criterion="within 5 % of √(2π)",
    needs=(REST,),
)
def spacing_coefficient(config: Config, rest: Results) -> Judgement:
    truth = (2 * np.pi) ** 0.5
    return within(
        _fit(config, rest, corrected=False), 0.95 * truth, 1.05 * truth, seeds=rest[0].case.runs
    )


@STUDY.claim(
    "spacing-coefficient-finite-rate",
    source="slide “Wigner surmise: vary learning rate and batch size”, with finite α and k",
    statement="Finite α and the chains' memory account for what is left",
    statistic="a after the widening √((1 + φρ)/((1 − φρ)(1 − r/2))) of each point",
    criterion="within 2 % of √(2π)",
    needs=(REST,),
)
def spacing_finite(config: Config, rest: Results) -> Judgement:
    truth = (2 * np.pi) ** 0.5
    return within(
        _fit(config, rest, corrected=True), 0.98 * truth, 1.02 * truth, seeds=rest[0].case.runs
    )


@STUDY.claim(
    "spacing-coefficient-limit",
    source="slide “Wigner surmise: vary learning rate and batch size”, as α/|B| → 0",
    statement="a tends to √(2π) as α/|B| → 0",
    statistic="intercept of ⟨S⟩/√((α/|B|)(μ² − κ)), widened for finite α and k, in α/|B|, all "
    "pairs and points",
    criterion="within 3 % of √(2π)",
    needs=(REST,),
)
def spacing_limit(config: Config, rest: Results) -> Judgement:
    one, ratios, values, errors = config.machine, [], [], []
    for rate, batch in sweep_points(config):
        result = rest.where(rate=rate, batch=batch).only()
        for pair, kappa in zip(PAIRS, pair_modes(config), strict=True):
            args = one.mass_squared - kappa, kappa, one.mass_squared, one.sweeps
            found = mean_spacing(result, pair).scaled(
                1 / (_root(result.case, kappa, config) * finite_rate(rate, *args))
            )
            ratios.append(rate / batch)
            values.append(float(found.value or 0))
            errors.append(float(found.error or 1))
    weights = np.array(errors) ** -2.0
    line = slope(ratios, values, errors)
    middle = float((weights * ratios).sum() / weights.sum())
    level = float((weights * values).sum() / weights.sum())
    error = float(np.hypot(weights.sum() ** -0.5, middle * float(line.error or 0)))
    at_zero = symmetric(level - middle * float(line.value or 0), error, replicas=MANY)
    truth = (2 * np.pi) ** 0.5
    return within(
        at_zero,
        0.97 * truth,
        1.03 * truth,
        seeds=rest[0].case.runs,
        details={"relative change per α/|B|": float(line.value or 0) / truth},
    )


def _exponents(config: Config, rest: Results, points: list[tuple[float, int]]) -> Judgement:
    parts = {}
    for pair, kappa in zip(PAIRS, pair_modes(config), strict=True):
        chosen = [rest.where(rate=rate, batch=batch).only() for rate, batch in points]
        found = log_slope(
            [result.case.rate / result.case.batch for result in chosen],
            [mean_spacing(result, pair) for result in chosen],
        )
        parts[f"κ = {kappa:.3f}"] = within(found, 0.45, 0.55, seeds=rest[0].case.runs)
    return combined(parts)


@STUDY.claim(
    "spacing-batch-sweep",
    source="slide “Wigner surmise: vary learning rate and batch size”",
    statement="⟨S⟩ ∝ √(α/|B|) as the batch varies",
    statistic="exponent of ⟨S⟩ against α/|B|, pair by pair",
    criterion="1/2 within 0.05",
    needs=(REST,),
)
def batch_sweep(config: Config, rest: Results) -> Judgement:
    one = config.machine
    return _exponents(config, rest, [(one.batch_rate, b) for b in one.batches])


@STUDY.claim(
    "spacing-rate-sweep",
    source="slide “Wigner surmise: vary learning rate and batch size”",
    statement="⟨S⟩ ∝ √(α/|B|) as the learning rate varies",
    statistic="exponent of ⟨S⟩ against α/|B|, pair by pair",
    criterion="1/2 within 0.05",
    needs=(REST,),
)
def rate_sweep(config: Config, rest: Results) -> Judgement:
    one = config.machine
    return _exponents(config, rest, [(r, one.rate_batch) for r in one.rates])


def _mean_over_width(rest: Results) -> Estimate:
    """⟨S⟩/σ with σ from the density, where pairs overlap least; the first pair."""
    result = smallest(rest)
    law, error = width(result, PAIRS[0])
    return ratio(
        mean_spacing(result, PAIRS[0]), symmetric(law.sigma, error, replicas=result.case.runs)
    )


@STUDY.claim(
    "mean-spacing-as-printed",
    source="slide “Wigner surmise: vary learning rate and batch size”, as printed",
    statement="⟨S⟩ = π σ",
    statistic="⟨S⟩ over σ from the density of the levels, at the least α/|B|",
    criterion="π within 5 %",
    needs=(REST,),
)
def mean_printed(config: Config, rest: Results) -> Judgement:
    return within(_mean_over_width(rest), 0.95 * np.pi, 1.05 * np.pi)


@STUDY.claim(
    "mean-spacing-corrected",
    source="slides “Universal RMT predictions” and “Wigner surmise: vary …”, corrected",
    statement="⟨S⟩ = √π σ",
    statistic="⟨S⟩ over σ from the density of the levels, at the least α/|B|",
    criterion="√π within 5 %",
    needs=(REST,),
)
def mean_corrected(config: Config, rest: Results) -> Judgement:
    root = np.pi**0.5
    return within(_mean_over_width(rest), 0.95 * root, 1.05 * root)
