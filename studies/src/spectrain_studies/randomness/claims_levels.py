"""Claims on the levels of the Gaussian machine: centre, widths, order, repulsion."""

from __future__ import annotations

import numpy as np

from spectrain.noise.estimate import Estimate, symmetric
from spectrain.rmt import BINDER, binder_cumulant
from spectrain_studies.frame import Judgement, Results, above, below, combined, within
from spectrain_studies.randomness.config import Config
from spectrain_studies.randomness.machine import REST, Machine, sweep_points
from spectrain_studies.randomness.statistics import (
    MANY,
    PAIRS,
    base,
    coefficient,
    distance,
    finite_rate,
    mean_spacing,
    over_runs,
    pair_modes,
    ratio,
    slope,
    smallest,
    spacings,
    width,
)
from spectrain_studies.randomness.study import STUDY


def _centre(rest: Results, config: Config) -> Estimate:
    """Mean of x of the last pair, at the least α/|B|."""
    x = config.machine.mass_squared - smallest(rest)["levels"][..., list(PAIRS[3])]
    return over_runs(x.mean(-1))


@STUDY.claim(
    "centre-as-printed",
    source="slide “Universal RMT predictions”, as printed",
    statement="The potential of a pair of eigenvalues x of WᵀW is centred at κ",
    statistic="mean x of the pair of largest κ, at the least α/|B|",
    criterion="κ within 2 %",
    needs=(REST,),
)
def centre_printed(config: Config, rest: Results) -> Judgement:
    kappa = pair_modes(config)[3]
    return within(_centre(rest, config), 0.98 * kappa, 1.02 * kappa)


@STUDY.claim(
    "centre-corrected",
    source="slide “Universal RMT predictions”, corrected",
    statement="It is centred at μ² − κ (and λ = μ² − x at κ)",
    statistic="mean x of the pair of largest κ, at the least α/|B|",
    criterion="μ² − κ within 2 %",
    needs=(REST,),
)
def centre_corrected(config: Config, rest: Results) -> Judgement:
    rest_at = config.machine.mass_squared - pair_modes(config)[3]
    return within(_centre(rest, config), 0.98 * rest_at, 1.02 * rest_at)


@STUDY.claim(
    "two-mode-fit",
    source="slide “Wigner semi-circle”",
    statement="Levels of a degenerate pair have the two-mode density",
    statistic="Kolmogorov distance of the two first pairs from their fits, at the least α/|B|",
    criterion="below 0.03",
    needs=(REST,),
)
def two_mode_fit(config: Config, rest: Results) -> Judgement:
    result, parts = smallest(rest), {}
    for pair, kappa in list(zip(PAIRS, pair_modes(config), strict=True))[:2]:
        law, _ = width(result, pair)
        parts[f"κ = {kappa:.3f}"] = below(
            distance(result["levels"][..., list(pair)], law), 0.03, seeds=result.case.runs
        )
    return combined(parts)


@STUDY.claim(
    "binder-of-pairs",
    source="slide “Wigner semi-circle”",
    statement="The Binder cumulant of a pair is −4/27, not 0",
    statistic="U₄ = ⟨x⁴⟩/3⟨x²⟩² − 1 of the first pair, at the least α/|B|",
    criterion="−0.148 within 0.04",
    needs=(REST,),
)
def binder_pairs(config: Config, rest: Results) -> Judgement:
    levels = smallest(rest)["levels"][..., list(PAIRS[0])]
    value, error = binder_cumulant(levels.transpose(1, 0, 2).reshape(levels.shape[1], -1))
    found = symmetric(value, error, replicas=levels.shape[1])
    return within(found, BINDER - 0.04, BINDER + 0.04)


@STUDY.claim(
    "widths-agree",
    source="slide “Wigner semi-circle and surmise”",
    statement="σ from the spacing and σ from the density agree",
    statistic="⟨S⟩/√π over σ of the density, pair by pair, at the least α/|B|",
    criterion="1 within 5 %",
    needs=(REST,),
)
def widths_agree(config: Config, rest: Results) -> Judgement:
    result, parts = smallest(rest), {}
    for pair, kappa in zip(PAIRS, pair_modes(config), strict=True):
        law, error = width(result, pair)
        found = ratio(
            mean_spacing(result, pair).scaled(np.pi**-0.5),
            symmetric(law.sigma, error, replicas=result.case.runs),
        )
        parts[f"κ = {kappa:.3f}"] = within(found, 0.95, 1.05)
    return combined(parts)


@STUDY.claim(
    "width-from-theory",
    source="slide “Linear scaling relation”",
    statement="σᵢ² = (α/|B|)(g̃ᵢ²/Ωᵢ), with g̃² and Ω of the machine 2(α/|B|)(μ² − κ)",
    statistic="σ² of the density over it, corrected for finite α and k, at the least α/|B|",
    criterion="1 within 8 % for every pair",
    needs=(REST,),
)
def width_theory(config: Config, rest: Results) -> Judgement:
    result, one, parts = smallest(rest), config.machine, {}
    for pair, kappa in zip(PAIRS, pair_modes(config), strict=True):
        law, error = width(result, pair)
        x = one.mass_squared - kappa
        theory = 2 * result.case.rate / result.case.batch * x
        theory *= finite_rate(result.case.rate, x, kappa, one.mass_squared, one.sweeps) ** 2
        found = symmetric(
            law.sigma**2 / theory, 2 * law.sigma * error / theory, replicas=result.case.runs
        )
        parts[f"κ = {kappa:.3f}"] = within(found, 0.92, 1.08)
    return combined(parts)


@STUDY.claim(
    "sorting-biases",
    source="slide “Wigner surmise” (“no ordering of eigenvalues by hand, induces bias!”)",
    statement="Taking neighbours in sorted order biases ⟨S⟩",
    statistic="largest |⟨S⟩ of sorted neighbours over ⟨S⟩ of the two levels whose eigenvectors lie "
    "in the pair's eigenspace − 1| over pairs, at α = 0.1, |B| = 16",
    criterion="above 2 %",
    needs=(REST,),
)
def sorting(config: Config, rest: Results) -> Judgement:
    result = base(rest, config)
    gaps = {kappa: _sorting_bias(result, number) for number, kappa in enumerate(pair_modes(config))}
    return above(
        max(abs(gap) for gap in gaps.values()),
        0.02,
        seeds=result.case.runs,
        details={f"κ = {kappa:.3f}": gap for kappa, gap in gaps.items()},
        note="The authors' code sorts. A spacing has no sign: sorting matters only where a level "
        "of another mode comes between.",
    )


def _sorting_bias(result: object, number: int) -> float:
    levels, mode = result["levels"], result["mode"]  # type: ignore[index]
    belongs = mode == number + 1  # mode 0 is the lowest, single one
    two = belongs.sum(-1) == 2
    low = np.where(belongs, levels, np.inf).min(-1)
    high = np.where(belongs, levels, -np.inf).max(-1)
    known = (high - low)[two].mean()
    return float(spacings(levels, PAIRS[number]).mean() / known - 1)


def _shifts(config: Config, rest: Results) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slopes of ⟨λ⟩ − κ in α/|B| by mode, their errors, and what the Coulomb term alone says."""
    one = config.machine
    modes = Machine.of(config).field.modes.numpy()
    points = [rest.where(rate=r, batch=b).only() for r, b in sweep_points(config) if b >= 16]
    ratios = [p.case.rate / p.case.batch for p in points]
    slopes, errors = [], []
    for i in range(len(modes)):
        found = [over_runs(p["levels"][..., i]) for p in points]
        if any(abs(modes[i] - modes[j]) < 1e-9 for j in range(len(modes)) if j != i):
            pair = next(p for p in PAIRS if i in p)  # the pair's mean: its own repulsion cancels
            found = [over_runs(p["levels"][..., list(pair)].mean(-1)) for p in points]
        means = [float(each.value or 0) - modes[i] for each in found]
        one_slope = slope(ratios, means, [float(each.error or 1) for each in found])
        slopes.append(float(one_slope.value or 0))
        errors.append(float(one_slope.error or 0))
    x = one.mass_squared - modes
    coulomb = [-2 * a * sum(1 / (a - b) for b in x if abs(a - b) > 1e-9) for a in x]
    return np.array(slopes), np.array(errors), np.array(coulomb)


@STUDY.claim(
    "repulsion-shifts-levels",
    source="slide “Eigenvalue repulsion”",
    statement="Learned eigenvalues leave their targets in proportion to α/|B|: the lowest goes "
    "down, the highest up",
    statistic="slope of ⟨λ⟩ − κ against α/|B| over its error, lowest and highest mode, |B| ≥ 16",
    criterion="below −3 for the lowest and above 3 for the highest",
    needs=(REST,),
)
def repulsion(config: Config, rest: Results) -> Judgement:
    slopes, errors, _ = _shifts(config, rest)
    return combined(
        {
            "lowest": below(float(slopes[0] / errors[0]), -3.0, details={"slope": slopes[0]}),
            "highest": above(float(slopes[-1] / errors[-1]), 3.0, details={"slope": slopes[-1]}),
        }
    )


@STUDY.claim(
    "repulsion-is-coulomb",
    source="slide “Eigenvalue repulsion”",
    statement="The shift is that of the Coulomb term, σᵢ² Σ 1/(xᵢ − xⱼ) over the other modes",
    statistic="regression coefficient of measured slopes on those of the Coulomb term",
    criterion="1 within 0.25",
    needs=(REST,),
)
def repulsion_coulomb(config: Config, rest: Results) -> Judgement:
    slopes, errors, coulomb = _shifts(config, rest)
    found = coefficient(
        coulomb.tolist(),
        [symmetric(s, e, replicas=MANY) for s, e in zip(slopes, errors, strict=True)],
    )
    details = {"measured": slopes.tolist(), "Coulomb": coulomb.tolist()}
    return within(found, 0.75, 1.25, details=details)
