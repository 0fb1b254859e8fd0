"""Claims on the spacings of degenerate pairs: their law and how it scales."""

from __future__ import annotations

import numpy as np

from spectrain.noise.estimate import Estimate, symmetric
from spectrain.rmt import WignerSurmise
from spectrain_studies.frame import AllOf, Below, Measured, Near, OnEvery, Results
from spectrain_studies.frame.statistics import (
    MANY,
    distance,
    proportionality,
    quotient,
    weighted_log_slope,
    weighted_slope,
)
from spectrain_studies.randomness.config import Config
from spectrain_studies.randomness.rbm.experiment import REST, RestCase, sweep_points
from spectrain_studies.randomness.rbm.planted import planted_rest
from spectrain_studies.randomness.statistics import (
    PAIRS,
    PERMILLE,
    Pair,
    base,
    finite_rate,
    mean_spacing,
    on_pairs,
    pair_modes,
    scaled_distance,
    smallest,
    spacings,
    width,
)
from spectrain_studies.randomness.study import STUDY

VARIED = "slide “Wigner surmise: vary learning rate and batch size”"
FOUR = "slide “Wigner surmise: 4 degenerate pairs”"
THEORY = (2 * np.pi) ** 0.5


@STUDY.claim(
    "surmise-of-pairs",
    source=FOUR,
    statement="Spacings of the four degenerate pairs follow the surmise, one curve in S/⟨S⟩",
    statistic="√n times the Kolmogorov distance of S/⟨S⟩ from (π/2)s exp(−πs²/4)",
    criterion=OnEvery("κ", Below(PERMILLE)),
    needs=(REST,),
    planted=planted_rest(None, lambda case, kappa, sigma: 20 * sigma, independent=True),
)
def surmise_pairs(config: Config, rest: Results) -> dict[str, Measured]:
    result = base(rest, config)

    def gap(pair: Pair, kappa: float) -> Measured:
        s = spacings(result["levels"], pair)
        return Measured(scaled_distance(s / s.mean(), WignerSurmise()), seeds=s.shape[1])

    return on_pairs(config, gap)


@STUDY.claim(
    "data-collapse",
    source=FOUR,
    statement="All learning rates, batch sizes and pairs fall on one curve",
    statistic="Kolmogorov distance of all S/⟨S⟩ together from the surmise, and √n times that of "
    "the worst point and pair",
    criterion=AllOf({"together": Below(0.02), "worst": Below(2.2)}),
    needs=(REST,),
    planted=planted_rest(None, lambda case, kappa, sigma: sigma, independent=True),
)
def data_collapse(config: Config, rest: Results) -> dict[str, float]:
    scaled = [
        s / s.mean()
        for rate, batch in sweep_points(config)
        for result in rest.where(rate=rate, batch=batch)
        for s in (spacings(result["levels"], pair) for pair in PAIRS)
    ]
    every = np.concatenate([s.ravel() for s in scaled])
    return {
        "together": distance(every, WignerSurmise().distribution),
        "worst": max(scaled_distance(s, WignerSurmise()) for s in scaled),
    }


def _points(
    config: Config, rest: Results, *, corrected: bool, least: int = 1
) -> list[tuple[RestCase, float, Estimate]]:
    """Case, √((α/|B|)(μ² − κ)) and ⟨S⟩ of every point and pair, |B| ≥ least.

    Corrected, the root is widened for finite α and k.
    """
    one, out = config.machine, []
    for rate, batch in sweep_points(config):
        if batch < least:
            continue
        result = rest.where(rate=rate, batch=batch).only()
        for pair, kappa in zip(PAIRS, pair_modes(config), strict=True):
            x = one.mass_squared - kappa
            root = (rate / batch * x) ** 0.5
            wide = finite_rate(rate, x, kappa, one.mass_squared, one.sweeps) if corrected else 1.0
            out.append((result.case, wide * root, mean_spacing(result, pair)))
    return out


for _name, _how, _statement, _statistic, _tolerance, _corrected in (
    (
        "spacing-coefficient",
        "",
        "⟨S⟩ = a √((α/|B|)(μ² − κ)); theory as α → 0 says a = √(2π) = 2.507",
        "fitted a without corrections, |B| ≥ 16 as in the document, over √(2π)",
        0.05,
        False,
    ),
    (
        "spacing-coefficient-finite-rate",
        ", with finite α and k",
        "Finite α and the chains' memory account for what is left",
        "a after the widening √((1 + φρ)/((1 − φρ)(1 − r/2))) of each point, over √(2π)",
        0.02,
        True,
    ),
):

    @STUDY.claim(
        _name,
        source=f"{VARIED}{_how}",
        statement=_statement,
        statistic=_statistic,
        criterion=Near(1.0, _tolerance),
        needs=(REST,),
        planted=planted_rest(
            None
            if _corrected
            else lambda case, kappa, sigma: (
                (2 * case.rate / case.batch * (case.machine.mass_squared - kappa)) ** 0.5
            ),
            lambda case, kappa, sigma: 1.5 * sigma,
        ),
    )
    def coefficient(config: Config, rest: Results, corrected: bool = _corrected) -> Measured:
        points = _points(config, rest, corrected=corrected, least=16)
        found = proportionality([root for _, root, _ in points], [s for _, _, s in points])
        return Measured(found.scaled(1 / THEORY), seeds=rest[0].case.runs)


@STUDY.claim(
    "spacing-coefficient-limit",
    source=f"{VARIED}, as α/|B| → 0",
    statement="a tends to √(2π) as α/|B| → 0",
    statistic="intercept of ⟨S⟩/√((α/|B|)(μ² − κ)), widened for finite α and k, in α/|B|, all "
    "pairs and points, over √(2π)",
    criterion=Near(1.0, 0.03),
    needs=(REST,),
    planted=planted_rest(None, lambda case, kappa, sigma: 1.5 * sigma),
)
def spacing_limit(config: Config, rest: Results) -> Measured:
    points = _points(config, rest, corrected=True)
    ratios = np.array([case.rate / case.batch for case, _, _ in points])
    scaled = [s.scaled(1 / (root * THEORY)) for _, root, s in points]
    values = np.array([float(s.value or 0) for s in scaled])
    errors = np.array([float(s.error or 1) for s in scaled])
    weights = errors**-2.0
    line = weighted_slope(ratios.tolist(), values.tolist(), errors.tolist())
    slope, middle = float(line.value or 0), float((weights * ratios).sum() / weights.sum())
    level = float((weights * values).sum() / weights.sum())
    error = float(np.hypot(weights.sum() ** -0.5, middle * float(line.error or 0)))
    found = symmetric(level - middle * slope, error, replicas=MANY)
    told = {"relative change per α/|B|": slope}
    return Measured(found, seeds=rest[0].case.runs, details=told)


for _name, _swept in (("spacing-batch-sweep", "batch"), ("spacing-rate-sweep", "rate")):

    @STUDY.claim(
        _name,
        source=VARIED,
        statement=f"⟨S⟩ ∝ √(α/|B|) as the {'batch' if _swept == 'batch' else 'learning rate'} "
        "varies",
        statistic="exponent of ⟨S⟩ against α/|B|",
        criterion=OnEvery("κ", Near(0.5, 0.05)),
        needs=(REST,),
        planted=planted_rest(
            lambda case, kappa, sigma: (case.rate / case.batch) ** 0.5,
            lambda case, kappa, sigma: (case.rate / case.batch) ** 0.2,
        ),
    )
    def sweep(config: Config, rest: Results, swept: str = _swept) -> dict[str, Measured]:
        one = config.machine
        points = [(one.batch_rate, batch) for batch in one.batches]
        if swept == "rate":
            points = [(rate, one.rate_batch) for rate in one.rates]
        chosen = [rest.where(rate=rate, batch=batch).only() for rate, batch in points]
        ratios = [result.case.rate / result.case.batch for result in chosen]

        def exponent(pair: Pair, kappa: float) -> Measured:
            found = weighted_log_slope(ratios, [mean_spacing(result, pair) for result in chosen])
            return Measured(found, seeds=rest[0].case.runs)

        return on_pairs(config, exponent)


for _name, _source, _statement, _value in (
    ("mean-spacing-as-printed", f"{VARIED}, as printed", "⟨S⟩ = π σ", np.pi),
    (
        "mean-spacing-corrected",
        "slides “Universal RMT predictions” and “Wigner surmise: vary learning rate and batch "
        "size”, corrected",
        "⟨S⟩ = √π σ",
        np.pi**0.5,
    ),
):

    @STUDY.claim(
        _name,
        source=_source,
        statement=_statement,
        statistic="⟨S⟩ over σ from the density of the levels, first pair, at the least α/|B|; over "
        "the value stated",
        criterion=Near(1.0, 0.05),
        needs=(REST,),
    )
    def mean_over_width(config: Config, rest: Results, value: float = _value) -> Estimate:
        result = smallest(rest)  # where pairs overlap least
        law, error = width(result, PAIRS[0])
        sigma = symmetric(law.sigma, error, replicas=result.case.runs)
        return quotient(mean_spacing(result, PAIRS[0]), sigma).scaled(1 / value)
