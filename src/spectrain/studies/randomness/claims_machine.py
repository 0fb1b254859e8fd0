"""Claims on the Gaussian machine: what it is, its levels at rest, the scaling rule."""

from __future__ import annotations

import numpy as np
import torch

from spectrain.noise.estimate import Estimate, mean_estimate, symmetric
from spectrain.rmt import BINDER, WignerSurmise, binder_cumulant
from spectrain.studies.frame import Judgement, Results, above, below, combined, within
from spectrain.studies.randomness.config import Config
from spectrain.studies.randomness.machine import COURSE, GENERALISATION, REST, Machine, sweep_points
from spectrain.studies.randomness.statistics import (
    MANY,
    PAIRS,
    base,
    coefficient,
    distance,
    finite_rate,
    log_slope,
    mean_spacing,
    over_runs,
    pair_modes,
    ratio,
    slope,
    smallest,
    spacings,
    width,
)
from spectrain.studies.randomness.study import STUDY

SCALAR = "slides “Scalar field RBM”"


def _random_weights(config: Config) -> tuple[Machine, torch.Tensor]:
    machine = Machine.of(config)
    generator = torch.Generator().manual_seed(0)
    shape = 4, machine.sites, machine.sites
    return machine, 0.5 * torch.empty(shape, dtype=torch.float64).normal_(generator=generator)


@STUDY.claim(
    "kernel-spectrum",
    source=SCALAR,
    statement="K has the eigenvalues μ² − σ_h²ξ² and, beyond the hidden units, μ²",
    statistic="largest difference for random 10 × 6 weights",
    criterion="below 1e-10",
)
def kernel_spectrum(config: Config) -> Judgement:
    machine, weights = _random_weights(config)
    few = weights[:, :, :6]
    values = torch.linalg.eigvalsh(machine.rbm.kernel(few))
    written = machine.mass_squared - torch.linalg.svdvals(few).square()
    beyond = torch.full((4, machine.sites - 6), machine.mass_squared, dtype=torch.float64)
    gap = (values - torch.cat([written, beyond], -1).sort(-1).values).abs().max()
    return below(float(gap), 1e-10)


@STUDY.claim(
    "free-dispersion",
    source="slide “Scalar field RBM” (lattice field)",
    statement="κ_k = m² + 2 − 2 cos(2πk/N), each twice but for the lowest and the highest",
    statistic="largest difference from the eigenvalues of the lattice kernel; number of pairs",
    criterion="below 1e-10; four pairs for N = 10",
)
def dispersion(config: Config) -> Judgement:
    field = Machine.of(config).field
    modes = torch.linalg.eigvalsh(field.kernel)
    pairs = int((modes.diff() < 1e-9).sum())
    return combined(
        {
            "modes": below(float((modes - field.modes).abs().max()), 1e-10),
            "pairs": within(float(pairs), 4, 4),
        }
    )


def _likelihood_step(config: Config, sign: int) -> float:
    """Change of log-likelihood per α after W ± α σ_h²(⟨φφᵀ⟩_target − ⟨φφᵀ⟩_model)W."""
    machine, weights = _random_weights(config)
    correlator, step = machine.field.correlator, 1e-6
    force = machine.rbm.gradient(weights, correlator)
    before = machine.rbm.log_likelihood(weights, correlator)
    after = machine.rbm.log_likelihood(weights + sign * step * force, correlator)
    return float(((after - before) / step).mean())


@STUDY.claim(
    "loss-sign-as-printed",
    source="slides “Stochastic weight matrix dynamics” and “Back to Dyson Brownian motion”",
    statement="W′ = W − α δL/δW with δL/δW = σ_h²(⟨φφᵀ⟩_target − ⟨φφᵀ⟩_model)W, as printed, "
    "maximises the likelihood",
    statistic="change of log-likelihood per α in one step",
    criterion="above 0",
)
def sign_printed(config: Config) -> Judgement:
    return above(_likelihood_step(config, -1), 0.0)


@STUDY.claim(
    "loss-sign-corrected",
    source="the same slides, L read as the log-likelihood and the step taken uphill",
    statement="W′ = W + α δL/δW maximises the likelihood",
    statistic="change of log-likelihood per α in one step",
    criterion="above 0",
)
def sign_corrected(config: Config) -> Judgement:
    return above(_likelihood_step(config, 1), 0.0)


def _drift_ratio(config: Config) -> tuple[float, float]:
    """Least and largest measured drift over K(x) = (1/κ − 1/(μ² − x))x."""
    machine, step = Machine.of(config), 1e-7
    kappa, vectors = torch.linalg.eigh(machine.field.kernel)
    x = torch.linspace(0.5, 6.5, machine.sites, dtype=torch.float64).flip(0)
    weights = vectors * x.sqrt()
    moved = weights + step * machine.rbm.gradient(weights, machine.field.correlator)
    change = (torch.linalg.svdvals(moved).square() - x) / step
    quotient = change / ((1 / kappa - 1 / (machine.mass_squared - x)) * x)
    return float(quotient.min()), float(quotient.max())


@STUDY.claim(
    "drift-as-printed",
    source="slide “Back to Dyson Brownian motion”, as printed",
    statement="An update moves xᵢ by αKᵢ, Kᵢ = (1/κᵢ − 1/(μ² − xᵢ))xᵢ",
    statistic="measured drift per α over K, all modes",
    criterion="1 within 0.01",
)
def drift_printed(config: Config) -> Judgement:
    low, high = _drift_ratio(config)
    return within(symmetric((low + high) / 2, (high - low) / 2, replicas=MANY), 0.99, 1.01)


@STUDY.claim(
    "drift-corrected",
    source="slide “Back to Dyson Brownian motion”, corrected",
    statement="An update moves xᵢ by 2αKᵢ: X = WᵀW doubles the change of W",
    statistic="measured drift per α over K, all modes",
    criterion="2 within 0.01",
)
def drift_corrected(config: Config) -> Judgement:
    low, high = _drift_ratio(config)
    return within(symmetric((low + high) / 2, (high - low) / 2, replicas=MANY), 1.99, 2.01)


@STUDY.claim(
    "fixed-point",
    source="slide “Back to Dyson Brownian motion”",
    statement="The drift vanishes where the spectrum is learnt, x = μ² − κ",
    statistic="largest |gradient| of the likelihood at that spectrum",
    criterion="below 1e-10",
)
def fixed_point(config: Config) -> Judgement:
    machine = Machine.of(config)
    weights = machine.warm(1, 1, torch.Generator().manual_seed(0)).weights
    return below(float(machine.rbm.gradient(weights, machine.field.correlator).abs().max()), 1e-10)


@STUDY.claim(
    "course-to-target",
    source="slide “RBM evolution”",
    statement="From the initial law the levels go to the target spectrum",
    statistic="largest |mean level − (μ² − κ)| over levels at the last time, in units of the "
    "spread of the initial levels' means",
    criterion="below 0.05",
    needs=(COURSE,),
)
def course_to_target(config: Config, course: Results) -> Judgement:
    result = course.only()
    machine = Machine.of(config)
    rest = machine.rbm.fixed_points(machine.field.modes.flip(0)).numpy()
    last, first = result["machine"][-1], result["machine"][0]
    gap = np.abs(last.mean(0) - rest).max() / np.ptp(first.mean(0))
    return below(float(gap), 0.05, seeds=len(last), details={"mean levels": last.mean(0).tolist()})


@STUDY.claim(
    "at-rest",
    source="this study",
    statement="The runs are at rest when they are read",
    statistic="⟨S⟩ in the later half of the snapshots over that in the earlier, largest deviation "
    "from 1 over pairs and points",
    criterion="below 8 % (the largest of about fifty; by chance alone 4 %)",
    needs=(REST,),
)
def stationary(config: Config, rest: Results) -> Judgement:
    worst = (0.0, 0.0, 0)
    for result in rest:
        count = len(result["levels"])
        if count < 2:
            continue
        for pair in PAIRS:
            s = spacings(result["levels"], pair)
            gap = s[count // 2 :].mean(0) - s[: count // 2].mean(0)
            found = mean_estimate(torch.from_numpy(gap / s.mean()))
            worst = max(worst, (abs(float(found.value or 0)), float(found.error or 0), len(gap)))
    return below(
        worst[0],
        0.08,
        seeds=worst[2],
        details={"standard error of the worst": worst[1]},
        note="The largest of all deviations is reported; by chance alone it would be two to three "
        "of its standard errors.",
    )


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


def _equal(config: Config, rest: Results) -> dict[float, list[float]]:
    """⟨S⟩ of each pair at one α/|B|, by α, over that at α = batch_rate."""
    one = config.machine
    reference = base(rest, config)
    out = {}
    for rate, batch in one.equal:
        result = rest.where(rate=rate, batch=batch).only()
        out[rate] = [
            float(mean_spacing(result, p).value or 0) / float(mean_spacing(reference, p).value or 1)
            for p in PAIRS
        ]
    return out


@STUDY.claim(
    "linear-scaling-rule",
    source="slide “Linear scaling relation”",
    statement="Equal α/|B| gives equal spacings",
    statistic="⟨S⟩ over that at α = 0.1, |B| = 16, largest deviation from 1 over pairs, α ≤ 0.2",
    criterion="below 5 %",
    needs=(REST,),
)
def scaling_rule(config: Config, rest: Results) -> Judgement:
    found = {r: v for r, v in _equal(config, rest).items() if r <= 0.2}
    worst = max(abs(q - 1) for values in found.values() for q in values)
    return below(
        worst, 0.05, seeds=rest[0].case.runs, details={str(k): v for k, v in found.items()}
    )


@STUDY.claim(
    "linear-scaling-breaks",
    source="slide “Linear scaling relation” (where does it end?)",
    statement="At large α the rule breaks: r = 2α(μ² − κ)/κ² is no longer small",
    statistic="⟨S⟩ of the fastest pair at the largest α over that at α = 0.1, equal α/|B|",
    criterion="above 1.05",
    needs=(REST,),
)
def scaling_breaks(config: Config, rest: Results) -> Judgement:
    rate, batch = max(config.machine.equal)
    found = ratio(
        mean_spacing(rest.where(rate=rate, batch=batch).only(), PAIRS[0]),
        mean_spacing(base(rest, config), PAIRS[0]),
    )
    one, kappa = config.machine, pair_modes(config)[0]
    args = one.mass_squared - kappa, kappa, one.mass_squared, one.sweeps
    theory = finite_rate(rate, *args) / finite_rate(one.batch_rate, *args)
    return above(found, 1.05, seeds=rest[0].case.runs, details={"theory": theory})


def _held_out(generalisation: Results, ratio_: float, name: str) -> np.ndarray:
    """Mean of each data set minus its limit of no noise."""
    chosen = generalisation.where(ratio=ratio_)
    return np.array([r[name].mean() - r[f"{name}_limit"] for r in chosen])


@STUDY.claim(
    "noise-generalises",
    source="slide “Summary”",
    statement="Stochasticity allows for generalisation: with few data, some α/|B| > 0 does better "
    "on the true law than α/|B| → 0",
    statistic="largest gain of held-out log-likelihood over α/|B|, in nats, data sets as seeds",
    criterion="above 0",
    needs=(GENERALISATION,),
)
def noise_generalises(config: Config, generalisation: Results) -> Judgement:
    gains = {r: _held_out(generalisation, r, "held_out") for r in config.machine.ratios}
    best = max(gains, key=lambda r: gains[r].mean())
    found = mean_estimate(torch.from_numpy(gains[best]))
    details = {f"α/|B| = {r}": float(gain.mean()) for r, gain in gains.items()}
    return above(found, 0.0, details=details)


@STUDY.claim(
    "noise-costs-likelihood",
    source="slide “Summary” (“fundamental limitation of learning”)",
    statement="Noise keeps the machine from its training data's likelihood, in proportion to α/|B|",
    statistic="exponent of the loss of training log-likelihood against α/|B|",
    criterion="1 within 0.2",
    needs=(GENERALISATION,),
)
def noise_costs(config: Config, generalisation: Results) -> Judgement:
    losses = {r: -_held_out(generalisation, r, "train") for r in config.machine.ratios}
    finite = [r for r, loss in losses.items() if np.isfinite(loss).all()]
    found = log_slope(finite, [mean_estimate(torch.from_numpy(losses[r])) for r in finite])
    return within(
        found,
        0.8,
        1.2,
        seeds=4,
        details={f"α/|B| = {r}": float(loss.mean()) for r, loss in losses.items()},
        note="Where a run's noise has carried a level beyond μ², its machine is no law, its "
        "likelihood −∞, and its α/|B| is left out of the exponent.",
    )


@STUDY.claim(
    "ten-modes-at-rest",
    source="slide “Full time-dependent dynamics: learning”",
    statement="The ten-mode equation ends where the machine does",
    statistic="Kolmogorov distance of all levels at the last time",
    criterion="below 0.1",
    needs=(COURSE,),
)
def ten_modes_rest(config: Config, course: Results) -> Judgement:
    result = course.only()
    return below(_course_distance(result, -1), 0.1, seeds=result.case.runs)


@STUDY.claim(
    "ten-modes-on-the-way",
    source="slide “Full time-dependent dynamics: learning”",
    statement="It is an effective description of learning at all times",
    statistic="largest Kolmogorov distance of all levels over the times before the last",
    criterion="below 0.1",
    needs=(COURSE,),
)
def ten_modes_way(config: Config, course: Results) -> Judgement:
    result = course.only()
    found = [_course_distance(result, i) for i in range(1, len(result.case.times) - 1)]
    return below(
        max(found),
        0.1,
        seeds=result.case.runs,
        details=dict(zip(map(str, result.case.times[1:-1]), found, strict=True)),
        note="The equation gives the i-th level the drift of the i-th mode and the noise of the "
        "fixed point; the eigenvectors of the random start know nothing of the target's.",
    )


def _course_distance(result: object, index: int) -> float:
    learned, equation = result["machine"][index], result["equation"][index]  # type: ignore[index]
    grid = np.sort(learned.ravel())
    other = np.searchsorted(np.sort(equation.ravel()), grid, side="right") / equation.size
    return float(np.abs(other - (np.arange(grid.size) + 0.5) / grid.size).max())
