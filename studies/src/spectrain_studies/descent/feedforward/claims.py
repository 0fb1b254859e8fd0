"""Claims of Figure 12 and of Theorems 2.6 to 2.8: post-activations are low in stable rank."""

from __future__ import annotations

from math import inf, log, pi

import numpy as np

from spectrain.noise.estimate import Estimate, symmetric
from spectrain_studies.descent.activations import ACTIVATIONS
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.draws import KINDS
from spectrain_studies.descent.feedforward.moments import MOMENTS, NOISE_TO_SIGNAL
from spectrain_studies.descent.feedforward.one_layer import (
    ONE_LAYER,
    ONE_LAYER_ACTIVATIONS,
    SMALL_LAYERS,
    SMALL_ROWS,
    bound,
)
from spectrain_studies.descent.feedforward.squares import (
    SQUARES,
    identity_rank,
    log_bound,
    printed_samples,
    proven_samples,
)
from spectrain_studies.descent.planted import levels, planted
from spectrain_studies.descent.stated import claim_of_ratio
from spectrain_studies.descent.statistics import AT_MOST_1, RATE, by_size, exponent, largest
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import (
    AllOf,
    Always,
    Below,
    Found,
    Measured,
    Near,
    OnEvery,
    Results,
    Untestable,
)
from spectrain_studies.frame.statistics import over_seeds, slope, violations

DEPTHS = range(1, 9)
"""Depths at which formulas, not samples, are compared."""

claim_of_ratio(
    "fig12-closed-forms",
    "Figure 12; GELU's second moment: this project",
    "Means and second moments of σ(g), g ~ N(0, v), are those that the table rests on",
    "largest relative deviation of the closed forms from quadrature, v from 0.05 to 25",
    *(MOMENTS, "deviation"),
    criterion=Below(1e-7),
    by=["activation"],
)


@STUDY.claim(
    "fig12-monte-carlo",
    source="Figure 12",
    statement="Drawn noise-to-signal ratios are those of the closed forms",
    statistic="largest |drawn − closed| in standard errors, 5 activations at 5 variances",
    criterion=Below(4),
    needs=[MOMENTS],
    planted=planted(
        [MOMENTS],
        lambda case, noise: {"drawn": noise, "noise_to_signal": 1.0, "drawn_error": 0.01},
        lambda case, noise: {"drawn": noise, "noise_to_signal": 2.0, "drawn_error": 0.01},
    ),
)
def fig12_monte_carlo(config: Config, found: Results) -> Measured:
    scores = [abs(r["drawn"] - r["noise_to_signal"]) / r["drawn_error"] for r in found]
    unit = {r.case.activation: r["drawn"] for r in found.where(variance=1.0)}
    return Measured(float(max(scores)), details={"drawn at v = 1": unit})


@STUDY.claim(
    "fig12-conditions",
    source="Figure 12, (2.9)",
    statement="α f ≤ (Eσ)² and Eσ² ≤ β f for |t|, ReLU, leaky ReLU and ReLU²",
    statistic="largest of α f/(Eσ)² and Eσ²/(β f) over v from 0.05 to 25",
    criterion=OnEvery("activation", AT_MOST_1),
    needs=[MOMENTS],
    planted=levels(MOMENTS, ["mean_share", "square_share"], AT_MOST_1),
)
def fig12_conditions(config: Config, found: Results) -> Found:
    def worst(chosen: Results) -> Measured:
        parts = [largest(chosen, f"{part}_share") for part in ("mean", "square")]
        return max(parts, key=lambda part: float(part.value))  # type: ignore[arg-type]

    return {name: worst(found.where(activation=name)) for name in ACTIVATIONS if name != "gelu"}


claim_of_ratio(
    "fig12-gelu-printed",
    "Figure 12, last row, as printed",
    "GELU satisfies α f ≤ (Eσ)² with α = s²/(2π(1 + s²)), s the smallest wᵀΣw",
    "largest α f/(Eσ)² over v from 0.05 to 25",
    *(MOMENTS, "printed_share"),
    activation="gelu",
)


@STUDY.claim(
    "fig12-gelu-corrected",
    source="Figure 12, last row, corrected",
    statement="It does with s² itself the smallest wᵀΣw; and Eσ² ≤ β f with β = ½ instead of 1",
    statistic="largest α f/(Eσ)², and largest Eσ²/f, over v from 0.05 to 25",
    criterion=AllOf({"α": AT_MOST_1, "β": Below(0.5 + 1e-9)}),
    needs=[MOMENTS],
    planted=levels(MOMENTS, ["mean_share", "square_share"], Below(0.5)),
)
def fig12_gelu_corrected(config: Config, found: Results) -> Found:
    chosen = found.where(activation="gelu")
    return {"α": largest(chosen, "mean_share"), "β": largest(chosen, "square_share")}


claim_of_ratio(
    "lemma-2-4",
    "Lemma 2.4",
    "NSR(σ(Wx)) ≤ β/α",
    "largest NSR over β/α, by closed forms, rows of 200 very different scales",
    NOISE_TO_SIGNAL,
    *(f"share_{name}" for name in ACTIVATIONS),
)


def _claim_of_bound(number: str, name: str, statement: str, what: str) -> None:
    @STUDY.claim(
        f"theorem-2-{number}",
        source=f"Theorem 2.{number}",
        statement=statement,
        statistic=f"share of samples above the NSR bound itself (ε1 = ε2 = 0), {what}, largest n; "
        "over draws",
        criterion=OnEvery("activation", Always()),
        needs=[ONE_LAYER],
        planted=planted(
            [ONE_LAYER],
            lambda case, noise: {name: np.full(60, 0.9 * bound(case.activation, 0.0))},
            lambda case, noise: {name: np.full(60, 1.1 * bound(case.activation, 0.0))},
        ),
    )
    def judge(config: Config, found: Results) -> Found:
        last = found.where(samples=config.theory.layers.samples[-1])

        def above(activation: str) -> Measured:
            chosen = [last.where(activation=activation, kind=kind).stack(name) for kind in KINDS]
            ranks = np.stack(chosen, -1)  # seeds × draws × kinds
            told = {"largest over the bound": float(ranks.max() / bound(activation, 0.0))}
            broken = violations((ranks > bound(activation, 0.0)).reshape(-1, len(KINDS)))
            return Measured(broken.value, details={**broken.details, **told})

        return {activation: above(activation) for activation in ONE_LAYER_ACTIVATIONS}


_claim_of_bound(
    "6",
    "ranks",
    "st(σ(WX)) ≤ (1 + ε1)/(1 − ε2)²·NSR bound for fixed W and Gaussian X",
    "six kinds of W",
)
_claim_of_bound(
    "7",
    "last",
    "st(A_ℓ) obeys the same bound where the last weights are Gaussian",
    "two fixed layers of six kinds before it, of which the orthogonal hand on the identity",
)
claim_of_ratio(
    "theorem-2-6-population",
    "§2.1; arc-cosine kernel",
    "er(M) ≤ π for ReLU features of any weights",
    "largest er(M)/π in closed form over six kinds of W",
    *(ONE_LAYER, "population"),
    activation="relu",
)


@STUDY.claim(
    "theorem-2-6-probability",
    source="Theorem 2.6",
    statement="The mean deviates by ε2 of order 1/√(n·st(W))",
    statistic="relative spread σ of the mean along itself: exponent in n; and mean of "
    "σ·√(n·st(W)/2π), which Gauss–Poincaré bounds by 1",
    criterion=OnEvery("kind of W", AllOf({"exponent": RATE, "product": Below(1)})),
    needs=[ONE_LAYER],
    planted=planted(
        [ONE_LAYER],
        lambda case, noise: {"mean_spread": noise * case.samples**-0.5, "weight_rank": 2.0},
        lambda case, noise: {"mean_spread": noise * case.samples**-0.2, "weight_rank": 2.0},
    ),
)
def theorem_2_6_probability(config: Config, found: Results) -> Found:
    def on(chosen: Results) -> Found:
        spreads = by_size(chosen, "samples", "mean_spread")
        roots = by_size(chosen, "samples", lambda r: (r.case.samples * r["weight_rank"]) ** 0.5)
        return {
            "exponent": exponent(chosen, "samples", "mean_spread"),
            "product": over_seeds((spreads * roots).mean(0) / (2 * pi) ** 0.5),
        }

    return {kind: on(found.where(activation="relu", kind=kind)) for kind in KINDS}


@STUDY.claim(
    "theorem-2-7-printed",
    source="Theorem 2.7, probability as printed",
    statement="The probability of exceeding the bound falls exponentially in the columns n",
    statistic="failures at ε1 = ε2 = 0.01 with every column 50 times, over those with each once",
    criterion=Below(0.5),
    needs=[SMALL_LAYERS],
    planted=planted(
        [SMALL_LAYERS],
        lambda case, noise: {"failed": 100, "still": 1},
        lambda case, noise: {"failed": 100, "still": 100},
    ),
)
def theorem_2_7_printed(config: Config, found: Results) -> Measured:
    failed, still = (sum(r[name] for r in found) for name in ("failed", "still"))
    if not failed:
        draws = found[0].case.draws
        return Measured(Estimate.missing("no draw exceeded the bound", replicas=draws))
    note = "Copying columns multiplies A by a root: neither stable rank changes, only n."
    return Measured(still / failed, note=note, details={"failures": int(failed)})


@STUDY.claim(
    "theorem-2-7-corrected",
    source="Theorem 2.7, probability with the output width m for n",
    statement="It falls with the output width m",
    statistic="failure share at the largest m less half of that at the smallest",
    criterion=Below(0),
    needs=[SMALL_LAYERS],
    planted=planted(
        [SMALL_LAYERS],
        lambda case, noise: {"share": noise / case.rows**2, "error": 1e-5},
        lambda case, noise: {"share": noise / 16, "error": 1e-5},
    ),
)
def theorem_2_7_corrected(config: Config, found: Results) -> Measured:
    few, many = (found.where(rows=rows).only() for rows in (SMALL_ROWS[0], SMALL_ROWS[-1]))
    error = float(np.hypot(many["error"], few["error"] / 2))
    difference = symmetric(many["share"] - few["share"] / 2, error, replicas=few.case.draws)
    return Measured(difference, details={f"m = {r.case.rows}": r["share"] for r in found})


@STUDY.claim(
    "theorem-2-8",
    source="Theorem 2.8",
    statement="Networks of squares have st(A_ℓ) ≤ 27·3^(2^(ℓ+2))/2c for any fixed weights",
    statistic="share of samples above the bound",
    criterion=Untestable(
        "a matrix of fewer rows than the bound, 885,735 at ℓ = 1 and c = 0.1, cannot exceed it"
    ),
)
def theorem_2_8(config: Config) -> Found:
    raise NotImplementedError("no matrix at hand could exceed the bound")


@STUDY.claim(
    "theorem-2-8-effective-rank",
    source="Theorem 2.8, last step of its proof",
    statement="The population's effective rank is at most 3^(2^(ℓ+1))",
    statistic="ln er(M) − 2^(ℓ+1)·ln 3, identity weights of infinite width, in closed form",
    criterion=OnEvery("depth", Below(0)),
)
def theorem_2_8_effective_rank(config: Config) -> Found:
    return {f"ℓ = {d}": identity_rank(d, inf) - 2 ** (d + 1) * log(3) for d in DEPTHS}


@STUDY.claim(
    "theorem-2-8-samples",
    source="Theorem 2.8 with Theorem 2.2",
    statement="The sample size, printed too small as in Theorem 2.2, does no harm here",
    statistic="ln(size that the proof needs/bound), depths 1 to 8; below 0, st ≤ n suffices for "
    "smaller n",
    criterion=OnEvery("c", Below(0)),
)
def theorem_2_8_samples(config: Config) -> Found:
    def excess(c: float) -> float:
        needed = (log(18 * log(1 / c)) + 2 ** (depth + 1) * log(3) for depth in DEPTHS)
        return max(size - log_bound(depth, c) for size, depth in zip(needed, DEPTHS, strict=True))

    told = {"needed over printed at c = 0.1": proven_samples(1) / printed_samples(1)}
    return {f"c = {c:g}": Measured(excess(c), details=told) for c in (0.001, 0.05, 0.1, 0.3, 0.49)}


@STUDY.claim(
    "theorem-2-8-growth",
    source="§2.1, after Theorem 2.7",
    statement="In experiments the stable rank never grows doubly exponentially with the depth",
    statistic="slope of ln st(A_ℓ) in ℓ, Gaussian weights, inputs of mean 0 and 1",
    criterion=OnEvery("mean of the inputs", Below(0.1)),
    needs=[SQUARES],
    planted=planted(
        [SQUARES],
        lambda case, noise: {"ranks": np.exp(-0.5 * noise * np.arange(case.depth))},
        lambda case, noise: {"ranks": np.exp(noise * 2.0 ** np.arange(case.depth))},
    ),
)
def theorem_2_8_growth(config: Config, found: Results) -> Found:
    depths = np.arange(float(config.theory.layers.depth))
    chosen = found.where(weights="gaussian")
    return {
        f"{shift:g}": slope(depths, np.log(chosen.where(shift=shift).stack("ranks")).T)
        for shift in (0.0, 1.0)
    }


@STUDY.claim(
    "theorem-2-8-sharp",
    source="this project, on Theorem 2.8",
    statement="With identity weights er(M) does grow as 2^(2^ℓ) as the width grows: the double "
    "exponent of the bound is attained, its base is 2 instead of 81",
    statistic="ln er(M)/(2^ℓ·ln 2) in closed form at infinite width, ℓ = 6",
    criterion=Near(1.0, 0.05),
    needs=[SQUARES],
)
def theorem_2_8_sharp(config: Config, found: Results) -> Measured:
    sampled = over_seeds(found.where(weights="identity", shift=0.0).stack("ranks").max(1)).value
    exponents = {f"ℓ = {d}": identity_rank(d, inf) / (2**d * log(2)) for d in DEPTHS}
    note = "Samples of feasible size do not show it: their largest column takes over."
    told = {**exponents, "largest sampled stable rank": sampled}
    return Measured(exponents["ℓ = 6"], note=note, details=told)
