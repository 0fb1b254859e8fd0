"""Experiment 2: what Newton-Schulz does to a gradient, and its three key questions."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import spearmanr

from spectrain.noise.estimate import Estimate
from spectrain_studies.frame import Judgement, Result, Results, above, below, within
from spectrain_studies.rank.config import RankConfig
from spectrain_studies.rank.orthonormalizing import METHODS, ORTHONORMALIZING, PRECISIONS
from spectrain_studies.rank.statistics import mean_of, per_model
from spectrain_studies.rank.study import STUDY

STEPS = 5
"""Newton-Schulz steps of the document and of Muon."""

PLACE = "Experiment 2"
GRADIENTS = "gradients of hidden matrices at the stages of Muon runs"


def at(
    config: RankConfig,
    result: Result,
    name: str,
    *,
    method: str = "quintic",
    precision: str = "float32",
    steps: int = STEPS,
) -> np.ndarray:
    """A column of the table of iterations, one value a matrix."""
    iteration = config.probing.iterations.index(steps)
    place = METHODS.index(method), list(PRECISIONS).index(precision), iteration
    return np.asarray(result[name])[:, *place]


def by_seed(result: Result, values: np.ndarray, statistic: Any = np.median) -> Estimate:
    """The statistic of every seed's matrices, and its mean over seeds."""
    seeds = np.asarray(result["seed"])
    return mean_of(np.array([statistic(values[seeds == seed]) for seed in np.unique(seeds)]))


def correlation(result: Result, first: np.ndarray, second: np.ndarray) -> Estimate:
    """Spearman correlation within every seed, and its mean over seeds."""
    seeds = np.asarray(result["seed"])
    found = [
        spearmanr(first[seeds == seed], second[seeds == seed]).statistic
        for seed in np.unique(seeds)
    ]
    return mean_of(np.array(found))


def share(result: Result) -> np.ndarray:
    """Nuclear rank over rank."""
    return np.asarray(result["nuclear_rank"]) / np.asarray(result["full"])


def benefit(result: Result) -> np.ndarray:
    """Logarithm of the spectral over the Euclidean realised decrease, both at least 10⁻¹²."""
    spectral, euclidean = (
        np.maximum(np.asarray(result[f"gain_{name}"]), 1e-12) for name in ("spectral", "euclidean")
    )
    return np.log(spectral / euclidean)


@STUDY.claim(
    "newton-schulz-gives-ones",
    source=f"{PLACE}, metrics and pseudocode",
    statement="After five Newton-Schulz steps all singular values are 1 (“should be ~1.0”).",
    statistic=f"largest |σ − 1| over {GRADIENTS}, quintic, float32",
    criterion="below 0.05 on every model",
    needs=(ORTHONORMALIZING,),
)
def newton_schulz_gives_ones(config: RankConfig, runs: Results) -> Judgement:
    """As printed."""

    def judge(model: str) -> Judgement:
        result = runs.where(model=model).only()
        low, high = at(config, result, "smallest"), at(config, result, "largest")
        worst = float(max(np.max(high) - 1, 1 - np.min(low)))
        told = {"smallest σ": float(low.min()), "largest σ": float(high.max())}
        return below(worst, 0.05, seeds=config.probing.seeds, details=told)

    return per_model(runs, judge)


@STUDY.claim(
    "newton-schulz-bounds-above",
    source=f"{PLACE}, corrected",
    statement="Five quintic steps bring no singular value above 1.25; small ones may stay small.",
    statistic=f"largest σ over {GRADIENTS}, quintic, float32",
    criterion="below 1.25 on every model",
    needs=(ORTHONORMALIZING,),
)
def newton_schulz_bounds_above(config: RankConfig, runs: Results) -> Judgement:
    """As corrected."""

    def judge(model: str) -> Judgement:
        result = runs.where(model=model).only()
        largest = float(at(config, result, "largest").max())
        return below(largest, 1.25, seeds=config.probing.seeds)

    return per_model(runs, judge)


@STUDY.claim(
    "cubic-converges",
    source="Theoretical background, the simplified iteration",
    statement="The simplified iteration X(1.5 I − 0.5 XᵀX) converges to the closest orthonormal "
    "matrix (in the number of steps the document uses).",
    statistic=f"median over {GRADIENTS} of 1 − σ_r after 5 cubic steps of the normalised gradient, "
    "mean over seeds",
    criterion="below 0.05 by its 95 % interval on every model",
    needs=(ORTHONORMALIZING,),
)
def cubic_converges(config: RankConfig, runs: Results) -> Judgement:
    """The limit is right; five steps are not the limit."""

    def judge(model: str) -> Judgement:
        result = runs.where(model=model).only()
        told = {
            f"median smallest σ after {steps} steps": float(
                np.median(at(config, result, "smallest", method="cubic", steps=steps))
            )
            for steps in config.probing.iterations
        }
        left = 1 - at(config, result, "smallest", method="cubic")
        return below(by_seed(result, left), 0.05, details=told)

    return per_model(runs, judge)


@STUDY.claim(
    "direction-preserved",
    source=f"{PLACE}, key question 1; Theoretical background (“preserves directional information”)",
    statement="Orthonormalizing preserves the gradient's direction: how much does it change?",
    statistic=f"median angle in degrees between gradient and NS5(gradient) over {GRADIENTS}, "
    "mean over seeds",
    criterion="below 45° by its 95 % interval on every model",
    needs=(ORTHONORMALIZING,),
)
def direction_preserved(config: RankConfig, runs: Results) -> Judgement:
    """The answer to key question 1 is the angle itself."""

    def judge(model: str) -> Judgement:
        result = runs.where(model=model).only()
        angle = at(config, result, "angle")
        told = {
            "10 % of angles below": float(np.quantile(angle, 0.1)),
            "90 % of angles below": float(np.quantile(angle, 0.9)),
            "median exact angle": float(np.median(result["angle_exact"])),
        } | {
            f"median angle, {method}": float(np.median(at(config, result, "angle", method=method)))
            for method in METHODS
        }
        return below(by_seed(result, angle), 45.0, details=told)

    return per_model(runs, judge)


@STUDY.claim(
    "angle-identity",
    source=f"{PLACE}, angle (identity derived here)",
    statement="The angle to the exact polar factor follows from the nuclear rank alone: "
    "cos = √(nr/r).",
    statistic=f"largest difference in degrees over {GRADIENTS}",
    criterion="below 0.01° on every model",
    needs=(ORTHONORMALIZING,),
)
def angle_identity(config: RankConfig, runs: Results) -> Judgement:
    """An identity: checked where it is used."""

    def judge(model: str) -> Judgement:
        result = runs.where(model=model).only()
        gap = np.abs(np.asarray(result["angle_exact"]) - np.asarray(result["angle_identity"]))
        return below(float(gap.max()), 0.01, seeds=config.probing.seeds)

    return per_model(runs, judge)


@STUDY.claim(
    "information-loss-identity",
    source=f"{PLACE}, information loss, corrected",
    statement="The scale-free information loss min_c‖G − cP‖/‖G‖ is √(1 − nr/r).",
    statistic=f"largest difference over {GRADIENTS}",
    criterion="below 10⁻³ on every model",
    needs=(ORTHONORMALIZING,),
)
def information_loss_identity(config: RankConfig, runs: Results) -> Judgement:
    """As corrected."""

    def judge(model: str) -> Judgement:
        result = runs.where(model=model).only()
        gap = np.abs(np.asarray(result["loss_exact"]) - np.asarray(result["loss_identity"]))
        return below(float(gap.max()), 1e-3, seeds=config.probing.seeds)

    return per_model(runs, judge)


@STUDY.claim(
    "printed-information-loss",
    source=f"{PLACE}, information loss ‖G − G_ns‖_F (relative in the pseudocode)",
    statement="‖G − NS(G)‖/‖G‖ measures what is lost.",
    statistic=f"median over {GRADIENTS} of the printed loss over the scale-free one, mean over "
    "seeds",
    criterion="between 0.9 and 1.1 by its 95 % interval on every model",
    needs=(ORTHONORMALIZING,),
)
def printed_information_loss(config: RankConfig, runs: Results) -> Judgement:
    """As printed: it depends on the scale of G, which means nothing to what is lost."""

    def judge(model: str) -> Judgement:
        result = runs.where(model=model).only()
        ratio = at(config, result, "printed_loss") / at(config, result, "information_loss")
        told = {"median printed loss": float(np.median(at(config, result, "printed_loss")))}
        return within(by_seed(result, ratio), 0.9, 1.1, details=told)

    return per_model(runs, judge)


@STUDY.claim(
    "near-orthogonal-changes-less",
    source=f"{PLACE}, key question 3",
    statement="Near-orthogonal gradients are transformed less.",
    statistic=f"Spearman correlation of nr/r with the angle to NS5(gradient) over {GRADIENTS}, "
    "mean over seeds",
    criterion="below 0 by its 95 % interval on every model (the exact factor has −1 by identity)",
    needs=(ORTHONORMALIZING,),
)
def near_orthogonal_changes_less(config: RankConfig, runs: Results) -> Judgement:
    """Key question 3, of the iteration that is used."""

    def judge(model: str) -> Judgement:
        result = runs.where(model=model).only()
        return below(correlation(result, share(result), at(config, result, "angle")), 0.0)

    return per_model(runs, judge)


@STUDY.claim(
    "rank-is-raised",
    source="Core hypothesis; Experiment 2, rank change",
    statement="Orthonormalizing raises the effective rank.",
    statistic=f"median over {GRADIENTS} of the effective rank after NS5 over that before, mean "
    "over seeds",
    criterion="above 1 by its 95 % interval on every model",
    needs=(ORTHONORMALIZING,),
)
def rank_is_raised(config: RankConfig, runs: Results) -> Judgement:
    """By how much depends on what was there."""

    def judge(model: str) -> Judgement:
        result = runs.where(model=model).only()
        ratio = at(config, result, "rank_ratio")
        return above(by_seed(result, ratio), 1.0, details={"largest": float(ratio.max())})

    return per_model(runs, judge)


@STUDY.claim(
    "bfloat16-suffices",
    source=f"{PLACE} (precision, added here)",
    statement="Iterating in bfloat16 turns the result by less than a degree.",
    statistic=f"median over {GRADIENTS} of |angle in bfloat16 − angle in float32|, five quintic "
    "steps, mean over seeds",
    criterion="below 1° by its 95 % interval on every model",
    needs=(ORTHONORMALIZING,),
)
def bfloat16_suffices(config: RankConfig, runs: Results) -> Judgement:
    """Between angles to the gradient."""

    def judge(model: str) -> Judgement:
        result = runs.where(model=model).only()
        half = at(config, result, "angle", precision="bfloat16")
        return below(by_seed(result, np.abs(half - at(config, result, "angle"))), 1.0)

    return per_model(runs, judge)


@STUDY.claim(
    "sweet-spot",
    source=f"{PLACE}, key question 2",
    statement="There is a sweet spot of input rank where orthonormalizing helps most.",
    statistic="quadratic term of ln(realised decrease along −polar(G)/along −G) in nr/r, "
    f"standardised, over {GRADIENTS}, block by block line search on the gradient's own batch; "
    "mean over seeds, with the vertex",
    criterion="holds on a model if the 95 % interval lies below 0 and the mean vertex between the "
    "10th and 90th percentile of nr/r; fails if it lies above 0",
    needs=(ORTHONORMALIZING,),
)
def sweet_spot(config: RankConfig, runs: Results) -> Judgement:
    """A maximum inside the range that occurs, not at its end."""

    def judge(model: str) -> Judgement:
        result = runs.where(model=model).only()
        x, y, seeds = share(result), benefit(result), np.asarray(result["seed"])
        z = (x - x.mean()) / x.std()
        fits = np.array([np.polyfit(z[seeds == s], y[seeds == s], 2) for s in np.unique(seeds)])
        estimate = mean_of(fits[:, 0])
        quadratic, slope = fits[:, 0].mean(), fits[:, 1].mean()
        vertex = float(x.mean() - x.std() * slope / (2 * quadratic))
        low, high = np.quantile(x, [0.1, 0.9])
        told = {
            "vertex, nr/r": vertex,
            "10th percentile of nr/r": float(low),
            "90th percentile of nr/r": float(high),
            "median benefit, ratio": float(np.exp(np.median(y))),
        }
        bent = below(estimate, 0.0, details=told)
        if bent.verdict == "holds" and not low <= vertex <= high:
            return above(estimate, 0.0, details=told, note="bent, with its top outside the range")
        return bent

    return per_model(runs, judge)


@STUDY.claim(
    "benefit-grows-with-rank",
    source=f"{PLACE}, key question 2 (the other possibility)",
    statement="The flatter the gradient's spectrum, the more orthonormalizing helps.",
    statistic=f"Spearman correlation of nr/r with the benefit over {GRADIENTS}, mean over seeds",
    criterion="above 0 by its 95 % interval on every model",
    needs=(ORTHONORMALIZING,),
)
def benefit_grows_with_rank(config: RankConfig, runs: Results) -> Judgement:
    """The hypothesis in the document would have low ranks profit most."""

    def judge(model: str) -> Judgement:
        result = runs.where(model=model).only()
        return above(correlation(result, share(result), benefit(result)), 0.0)

    return per_model(runs, judge)
