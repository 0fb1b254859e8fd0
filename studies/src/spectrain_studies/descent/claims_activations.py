"""Claims of Figure 12 and of Theorems 2.6 to 2.8: post-activations are low in stable rank."""

from __future__ import annotations

from math import log, pi

import numpy as np

from spectrain.noise.estimate import Estimate, symmetric
from spectrain_studies.descent.activations import ACTIVATIONS
from spectrain_studies.descent.claims_samples import RATE, exponent
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.moments import MOMENTS, NOISE_TO_SIGNAL
from spectrain_studies.descent.one_layer import (
    KINDS,
    ONE_LAYER,
    ONE_LAYER_ACTIVATIONS,
    SLACK,
    SMALL_LAYERS,
    SMALL_ROWS,
    bound,
)
from spectrain_studies.descent.squares import (
    SQUARES,
    identity_rank,
    log_bound,
    printed_samples,
    proven_samples,
)
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import Judgement, Results, below, combined, undecided, within
from spectrain_studies.frame.statistics import over_seeds, share, slope

EXACT = 1 + 1e-9
"""Limit of a ratio that a theorem bounds by 1, with room for round-off."""

DEEP = 8
"""Depths up to which formulas, not samples, are compared."""


def largest(results: Results, name: str, limit: float = EXACT) -> Judgement:
    """Claim "a ratio is nowhere above a limit", judged at its largest value."""
    values = np.concatenate([np.ravel(result[name]) for result in results])
    return below(float(np.nanmax(values)), limit, seeds=len(results))


@STUDY.claim(
    "fig12-closed-forms",
    source="Figure 12; GELU's second moment: this project",
    statement="Means and second moments of σ(g), g ~ N(0, v), are those that the table rests on",
    statistic="largest relative deviation of the closed forms from quadrature, v from 0.05 to 25",
    criterion="below 1e-7, each activation",
    needs=[MOMENTS],
)
def fig12_closed_forms(config: Config, found: Results) -> Judgement:
    parts = {}
    for name in ACTIVATIONS:
        chosen = found.where(activation=name)
        deviation = chosen.stack("closed") / chosen.stack("quadrature") - 1
        parts[name] = below(float(np.abs(deviation).max()), 1e-7)
    return combined(parts)


@STUDY.claim(
    "fig12-monte-carlo",
    source="Figure 12",
    statement="Drawn noise-to-signal ratios are those of the closed forms",
    statistic="largest |drawn − closed| in standard errors, 5 activations at 5 variances",
    criterion="below 4",
    needs=[MOMENTS],
)
def fig12_monte_carlo(config: Config, found: Results) -> Judgement:
    scores = [abs(r["drawn"] - r["noise_to_signal"]) / r["drawn_error"] for r in found]
    unit = {r.case.activation: r["drawn"] for r in found.where(variance=1.0)}
    return below(float(max(scores)), 4.0, details={"drawn at v = 1": unit})


@STUDY.claim(
    "fig12-conditions",
    source="Figure 12, (2.9)",
    statement="α f ≤ (Eσ)² and Eσ² ≤ β f for |t|, ReLU, leaky ReLU and ReLU²",
    statistic="largest α f/(Eσ)² and Eσ²/(β f) over v from 0.05 to 25",
    criterion="at most 1, each activation",
    needs=[MOMENTS],
)
def fig12_conditions(config: Config, found: Results) -> Judgement:
    return combined(
        {
            f"{name}, {part}": largest(found.where(activation=name), f"{part}_share")
            for name in ACTIVATIONS
            if name != "gelu"
            for part in ("mean", "square")
        }
    )


@STUDY.claim(
    "fig12-gelu-printed",
    source="Figure 12, last row, as printed",
    statement="GELU satisfies α f ≤ (Eσ)² with α = s²/(2π(1 + s²)), s the smallest wᵀΣw",
    statistic="largest α f/(Eσ)² over v from 0.05 to 25",
    criterion="at most 1",
    needs=[MOMENTS],
)
def fig12_gelu_printed(config: Config, found: Results) -> Judgement:
    return largest(found.where(activation="gelu"), "printed_share")


@STUDY.claim(
    "fig12-gelu-corrected",
    source="Figure 12, last row, corrected",
    statement="It does with s² itself the smallest wᵀΣw; and Eσ² ≤ β f with β = ½ instead of 1",
    statistic="largest α f/(Eσ)², and largest Eσ²/f, over v from 0.05 to 25",
    criterion="at most 1, and at most ½",
    needs=[MOMENTS],
)
def fig12_gelu_corrected(config: Config, found: Results) -> Judgement:
    chosen = found.where(activation="gelu")
    parts = {"α": largest(chosen, "mean_share"), "β": largest(chosen, "square_share", EXACT / 2)}
    return combined(parts)


@STUDY.claim(
    "lemma-2-4",
    source="Lemma 2.4",
    statement="NSR(σ(Wx)) ≤ β/α",
    statistic="largest NSR over β/α, by closed forms, rows of 200 very different scales",
    criterion="at most 1, each activation",
    needs=[NOISE_TO_SIGNAL],
)
def lemma_2_4(config: Config, found: Results) -> Judgement:
    return combined({name: largest(found, f"share_{name}") for name in ACTIVATIONS})


def _exceeding(found: Results, activation: str, name: str) -> Judgement:
    ranks = np.concatenate([r[name] for r in found.where(activation=activation)])
    limit = bound(activation, SLACK)
    return below(share(ranks > limit), 0.05, details={"bound": limit, "largest": ranks.max()})


@STUDY.claim(
    "theorem-2-6",
    source="Theorem 2.6",
    statement="st(σ(WX)) ≤ (1 + ε1)/(1 − ε2)²·NSR bound for fixed W and Gaussian X",
    statistic="share of samples above the bound at ε1 = ε2 = 0.1, six kinds of W",
    criterion="below 0.05 for ReLU, |t| and leaky ReLU",
    needs=[ONE_LAYER],
)
def theorem_2_6(config: Config, found: Results) -> Judgement:
    return combined({name: _exceeding(found, name, "ranks") for name in ONE_LAYER_ACTIVATIONS})


@STUDY.claim(
    "theorem-2-6-population",
    source="§2.1; arc-cosine kernel",
    statement="er(M) ≤ π for ReLU features of any weights",
    statistic="largest er(M)/π in closed form over six kinds of W",
    criterion="at most 1",
    needs=[ONE_LAYER],
)
def theorem_2_6_population(config: Config, found: Results) -> Judgement:
    return largest(found.where(activation="relu"), "population")


@STUDY.claim(
    "theorem-2-6-probability",
    source="Theorem 2.6",
    statement="The mean deviates by ε2 of order 1/√(n·st(W))",
    statistic="relative spread σ of the mean along itself: exponent in n of its geometric mean "
    "over six kinds of W, and σ·√(n·st(W)/2π), which Gauss–Poincaré bounds by 1",
    criterion="exponent below −0.4, and largest product below 1 for each kind",
    needs=[ONE_LAYER],
)
def theorem_2_6_probability(config: Config, found: Results) -> Judgement:
    sizes = config.theory.layers.samples
    chosen = found.where(activation="relu")
    logs = [
        np.mean([np.log(chosen.where(kind=k, samples=n).stack("mean_spread")) for k in KINDS], 0)
        for n in sizes
    ]
    parts = {"exponent": below(exponent(sizes, np.exp(np.stack(logs))), RATE)}
    for kind in KINDS:
        products = [
            r["mean_spread"] * np.sqrt(r.case.samples * r["weight_rank"] / (2 * pi))
            for r in chosen.where(kind=kind)
        ]
        parts[f"{kind}, product"] = below(float(max(products)), 1.0, seeds=len(products))
    return combined(parts)


@STUDY.claim(
    "theorem-2-7",
    source="Theorem 2.7",
    statement="st(A_ℓ) obeys the same bound where the last weights are Gaussian",
    statistic="share above the bound at ε1 = ε2 = 0.1, two fixed layers of six kinds before it",
    criterion="below 0.05 for ReLU, |t| and leaky ReLU",
    needs=[ONE_LAYER],
)
def theorem_2_7(config: Config, found: Results) -> Judgement:
    return combined({name: _exceeding(found, name, "last") for name in ONE_LAYER_ACTIVATIONS})


@STUDY.claim(
    "theorem-2-7-printed",
    source="Theorem 2.7, probability as printed",
    statement="The probability of exceeding the bound falls exponentially in the columns n",
    statistic="failures at ε1 = ε2 = 0.01 with every column 50 times, over those with each once",
    criterion="below ½",
    needs=[SMALL_LAYERS],
)
def theorem_2_7_printed(config: Config, found: Results) -> Judgement:
    failed, still = (sum(r[name] for r in found) for name in ("failed", "still"))
    if not failed:
        return undecided("no draw exceeded the bound")
    return below(
        still / failed,
        0.5,
        details={"failures": int(failed)},
        note="Copying columns multiplies A by a root: neither stable rank changes, only n.",
    )


@STUDY.claim(
    "theorem-2-7-corrected",
    source="Theorem 2.7, probability with the output width m for n",
    statement="It falls with the output width m",
    statistic="failure share at the largest m less half of that at the smallest",
    criterion="below 0",
    needs=[SMALL_LAYERS],
)
def theorem_2_7_corrected(config: Config, found: Results) -> Judgement:
    few, many = (found.where(rows=rows).only() for rows in (SMALL_ROWS[0], SMALL_ROWS[-1]))
    error = float(np.hypot(many["error"], few["error"] / 2))
    difference = symmetric(many["share"] - few["share"] / 2, error, replicas=few.case.draws)
    shares = {f"m = {r.case.rows}": r["share"] for r in found}
    return below(difference, 0.0, details=shares)


@STUDY.claim(
    "theorem-2-8",
    source="Theorem 2.8",
    statement="Networks of squares have st(A_ℓ) ≤ 27·3^(2^(ℓ+2))/2c for any fixed weights",
    statistic="largest ln st(A_ℓ) less the logarithm of the bound at c = 0.1, at sample sizes as "
    "printed and as proven",
    criterion="below 0",
    needs=[SQUARES],
)
def theorem_2_8(config: Config, found: Results) -> Judgement:
    excess = [
        float(np.log(rank) - log_bound(depth))
        for r in found
        for depth, rank in enumerate(r["ranks"], start=1)
    ]
    return below(
        max(excess),
        0.0,
        seeds=config.theory.layers.seeds,
        note="A matrix narrower than the bound, 885,735 at ℓ = 1, cannot exceed it.",
    )


@STUDY.claim(
    "theorem-2-8-samples",
    source="Theorem 2.8 with Theorem 2.2",
    statement="The sample size, printed too small as in Theorem 2.2, does no harm here",
    statistic="ln(size that the proof needs/bound); below 0, st ≤ n suffices for smaller n",
    criterion="below 0 for depths 1 to 8 and c from 0.001 to 0.49",
)
def theorem_2_8_samples(config: Config) -> Judgement:
    cases = [(depth, c) for depth in range(1, DEEP + 1) for c in (0.001, 0.05, 0.1, 0.3, 0.49)]
    excess = [_log_proven(depth, c) - log_bound(depth, c) for depth, c in cases]
    factor = proven_samples(1) / printed_samples(1)
    return below(max(excess), 0.0, details={"needed over printed at c = 0.1": factor})


def _log_proven(depth: int, failure: float) -> float:
    return log(18 * log(1 / failure)) + 2 ** (depth + 1) * log(3)


@STUDY.claim(
    "theorem-2-8-growth",
    source="§2.1, after Theorem 2.7",
    statement="In experiments the stable rank never grows doubly exponentially with the depth",
    statistic="slope of ln st(A_ℓ) in ℓ, Gaussian weights, inputs of mean 0 and 1",
    criterion="below 0.1, both",
    needs=[SQUARES],
)
def theorem_2_8_growth(config: Config, found: Results) -> Judgement:
    chosen = found.where(weights="gaussian", width=config.theory.layers.width)
    return combined({f"mean {s:g}": below(_growth(chosen, s), 0.1) for s in (0.0, 1.0)})


def _growth(found: Results, shift: float) -> Estimate:
    logs = np.log(found.where(shift=shift).stack("ranks")).T
    return slope([float(depth + 1) for depth in range(len(logs))], logs)


@STUDY.claim(
    "theorem-2-8-sharp",
    source="this project, on Theorem 2.8",
    statement="With identity weights er(M) does grow as 2^(2^ℓ) as the width grows: the double "
    "exponent of the bound is attained, its base is 2 instead of 81",
    statistic="ln er(M)/(2^ℓ·ln 2) in closed form at infinite width, ℓ = 6",
    criterion="between 0.95 and 1.05",
    needs=[SQUARES],
)
def theorem_2_8_sharp(config: Config, found: Results) -> Judgement:
    sampled = found.where(weights="identity", shift=0.0, width=config.theory.layers.width)
    ranks = over_seeds(sampled.stack("ranks").max(1))
    exponents = {
        f"ℓ = {depth}": identity_rank(depth, float("inf")) / (2**depth * log(2))
        for depth in range(1, DEEP + 1)
    }
    return within(
        exponents["ℓ = 6"],
        0.95,
        1.05,
        details={**exponents, "largest sampled stable rank": ranks.value},
        note="Samples of feasible size do not show it: their largest column takes over.",
    )
