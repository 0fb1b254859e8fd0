"""Experiment 2: what Newton-Schulz does to a gradient, and its three key questions."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import spearmanr

from spectrain.noise.estimate import Estimate
from spectrain_studies.frame import (
    Above,
    AllOf,
    Below,
    Found,
    Measured,
    Near,
    OnEvery,
    Result,
    Results,
)
from spectrain_studies.frame.statistics import over_seeds
from spectrain_studies.rank.config import RankConfig
from spectrain_studies.rank.newton_schulz.experiment import METHODS, ORTHONORMALIZING, PRECISIONS
from spectrain_studies.rank.statistics import on_results
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
    return over_seeds(np.array([statistic(values[seeds == seed]) for seed in np.unique(seeds)]))


def correlation(result: Result, first: np.ndarray, second: np.ndarray) -> Estimate:
    """Spearman correlation within every seed, and its mean over seeds."""
    seeds = np.asarray(result["seed"])
    found = [
        spearmanr(first[seeds == seed], second[seeds == seed]).statistic
        for seed in np.unique(seeds)
    ]
    return over_seeds(np.array(found))


def share_of_rank(result: Result) -> np.ndarray:
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
    criterion=OnEvery("model", Below(0.05)),
    needs=(ORTHONORMALIZING,),
)
def newton_schulz_gives_ones(config: RankConfig, runs: Results) -> Found:
    """As printed."""

    def on(result: Result) -> Measured:
        low, high = at(config, result, "smallest"), at(config, result, "largest")
        worst = float(max(np.max(high) - 1, 1 - np.min(low)))
        told = {"smallest σ": float(low.min()), "largest σ": float(high.max())}
        return Measured(worst, seeds=config.probing.seeds, details=told)

    return on_results(runs, on)


@STUDY.claim(
    "newton-schulz-bounds-above",
    source=f"{PLACE}, metrics, corrected",
    statement="Five quintic steps bring no singular value above 1.25; small ones may stay small.",
    statistic=f"largest σ over {GRADIENTS}, quintic, float32",
    criterion=OnEvery("model", Below(1.25)),
    needs=(ORTHONORMALIZING,),
)
def newton_schulz_bounds_above(config: RankConfig, runs: Results) -> Found:
    """As corrected."""

    def on(result: Result) -> Measured:
        largest = float(at(config, result, "largest").max())
        return Measured(largest, seeds=config.probing.seeds)

    return on_results(runs, on)


@STUDY.claim(
    "cubic-converges",
    source="Theoretical background, the simplified iteration",
    statement="The simplified iteration X(1.5 I − 0.5 XᵀX) converges to the closest orthonormal "
    "matrix (in the number of steps the document uses).",
    statistic=f"median over {GRADIENTS} of 1 − σ_r after 5 cubic steps of the normalised gradient, "
    "mean over seeds",
    criterion=OnEvery("model", Below(0.05)),
    needs=(ORTHONORMALIZING,),
)
def cubic_converges(config: RankConfig, runs: Results) -> Found:
    """The limit is right; five steps are not the limit."""

    def on(result: Result) -> Measured:
        told = {
            f"median smallest σ after {steps} steps": float(
                np.median(at(config, result, "smallest", method="cubic", steps=steps))
            )
            for steps in config.probing.iterations
        }
        left = 1 - at(config, result, "smallest", method="cubic")
        return Measured(by_seed(result, left), details=told)

    return on_results(runs, on)


@STUDY.claim(
    "direction-preserved",
    source=f"{PLACE}, key question 1; Theoretical background (“preserves directional information”)",
    statement="Orthonormalizing preserves the gradient's direction: how much does it change?",
    statistic=f"median angle in degrees between gradient and NS5(gradient) over {GRADIENTS}, "
    "mean over seeds",
    criterion=OnEvery("model", Below(45, "°")),
    needs=(ORTHONORMALIZING,),
)
def direction_preserved(config: RankConfig, runs: Results) -> Found:
    """The answer to key question 1 is the angle itself."""

    def on(result: Result) -> Measured:
        angle = at(config, result, "angle")
        told = {
            "10 % of angles below": float(np.quantile(angle, 0.1)),
            "90 % of angles below": float(np.quantile(angle, 0.9)),
            "median exact angle": float(np.median(result["angle_exact"])),
        } | {
            f"median angle, {method}": float(np.median(at(config, result, "angle", method=method)))
            for method in METHODS
        }
        return Measured(by_seed(result, angle), details=told)

    return on_results(runs, on)


@STUDY.claim(
    "angle-identity",
    source=f"{PLACE}, angle (identity derived here)",
    statement="The angle to the exact polar factor follows from the nuclear rank alone: "
    "cos = √(nr/r).",
    statistic=f"largest difference in degrees over {GRADIENTS}",
    criterion=OnEvery("model", Below(0.01, "°")),
    needs=(ORTHONORMALIZING,),
)
def angle_identity(config: RankConfig, runs: Results) -> Found:
    """An identity: checked where it is used."""

    def on(result: Result) -> Measured:
        gap = np.abs(np.asarray(result["angle_exact"]) - np.asarray(result["angle_identity"]))
        return Measured(float(gap.max()), seeds=config.probing.seeds)

    return on_results(runs, on)


@STUDY.claim(
    "information-loss-identity",
    source=f"{PLACE}, information loss, corrected",
    statement="The scale-free information loss min_c‖G − cP‖/‖G‖ is √(1 − nr/r).",
    statistic=f"largest difference over {GRADIENTS}",
    criterion=OnEvery("model", Below(1e-3)),
    needs=(ORTHONORMALIZING,),
)
def information_loss_identity(config: RankConfig, runs: Results) -> Found:
    """As corrected."""

    def on(result: Result) -> Measured:
        gap = np.abs(np.asarray(result["loss_exact"]) - np.asarray(result["loss_identity"]))
        return Measured(float(gap.max()), seeds=config.probing.seeds)

    return on_results(runs, on)


@STUDY.claim(
    "printed-information-loss",
    source=f"{PLACE}, information loss ‖G − G_ns‖_F (relative in the pseudocode)",
    statement="‖G − NS(G)‖/‖G‖ measures what is lost.",
    statistic=f"median over {GRADIENTS} of the printed loss over the scale-free one, mean over "
    "seeds",
    criterion=OnEvery("model", Near(1, 0.1)),
    needs=(ORTHONORMALIZING,),
)
def printed_information_loss(config: RankConfig, runs: Results) -> Found:
    """As printed: it depends on the scale of G, which means nothing to what is lost."""

    def on(result: Result) -> Measured:
        ratio = at(config, result, "printed_loss") / at(config, result, "information_loss")
        told = {"median printed loss": float(np.median(at(config, result, "printed_loss")))}
        return Measured(by_seed(result, ratio), details=told)

    return on_results(runs, on)


@STUDY.claim(
    "near-orthogonal-changes-less",
    source=f"{PLACE}, key question 3",
    statement="Near-orthogonal gradients are transformed less.",
    statistic=f"Spearman correlation of nr/r with the angle to NS5(gradient) over {GRADIENTS}, "
    "mean over seeds",
    criterion=OnEvery("model", Below(0)),
    needs=(ORTHONORMALIZING,),
)
def near_orthogonal_changes_less(config: RankConfig, runs: Results) -> Found:
    """Key question 3, of the iteration that is used."""

    def on(result: Result) -> Measured:
        return Measured(correlation(result, share_of_rank(result), at(config, result, "angle")))

    return on_results(runs, on)


@STUDY.claim(
    "rank-is-raised",
    source="Core hypothesis; Experiment 2, rank change",
    statement="Orthonormalizing raises the effective rank.",
    statistic=f"median over {GRADIENTS} of the effective rank after NS5 over that before, mean "
    "over seeds",
    criterion=OnEvery("model", Above(1)),
    needs=(ORTHONORMALIZING,),
)
def rank_is_raised(config: RankConfig, runs: Results) -> Found:
    """By how much depends on what was there."""

    def on(result: Result) -> Measured:
        ratio = at(config, result, "rank_ratio")
        return Measured(by_seed(result, ratio), details={"largest": float(ratio.max())})

    return on_results(runs, on)


@STUDY.claim(
    "bfloat16-suffices",
    source=f"{PLACE} (precision, added here)",
    statement="Iterating in bfloat16 turns the result by less than a degree.",
    statistic=f"median over {GRADIENTS} of |angle in bfloat16 − angle in float32|, five quintic "
    "steps, mean over seeds",
    criterion=OnEvery("model", Below(1, "°")),
    needs=(ORTHONORMALIZING,),
)
def bfloat16_suffices(config: RankConfig, runs: Results) -> Found:
    """Between angles to the gradient."""

    def on(result: Result) -> Measured:
        half = at(config, result, "angle", precision="bfloat16")
        return Measured(by_seed(result, np.abs(half - at(config, result, "angle"))))

    return on_results(runs, on)


@STUDY.claim(
    "sweet-spot",
    source=f"{PLACE}, key question 2",
    statement="There is a sweet spot of input rank where orthonormalizing helps most.",
    statistic="slopes, at the 10th and the 90th percentile of nr/r, of the parabola through "
    f"ln(realised decrease along −polar(G)/along −G) over nr/r, standardised, over {GRADIENTS}, "
    "block by block line search on the gradient's own batch; mean over seeds",
    criterion=OnEvery("model", AllOf({"low": Above(0), "high": Below(0)})),
    needs=(ORTHONORMALIZING,),
)
def sweet_spot(config: RankConfig, runs: Results) -> Found:
    """A maximum inside the range that occurs: it rises at one end and falls at the other."""

    def on(result: Result) -> dict[str, Measured]:
        x, y, seeds = share_of_rank(result), benefit(result), np.asarray(result["seed"])
        z = (x - x.mean()) / x.std()
        fits = np.array([np.polyfit(z[seeds == s], y[seeds == s], 2) for s in np.unique(seeds)])
        found = {}
        for end, quantile in (("low", 0.1), ("high", 0.9)):
            place = float(np.quantile(z, quantile))
            told = {"nr/r": float(np.quantile(x, quantile))}
            found[end] = Measured(over_seeds(2 * fits[:, 0] * place + fits[:, 1]), details=told)
        return found

    return on_results(runs, on)


@STUDY.claim(
    "benefit-grows-with-rank",
    source=f"{PLACE}, key question 2 (the other possibility)",
    statement="The flatter the gradient's spectrum, the more orthonormalizing helps.",
    statistic=f"Spearman correlation of nr/r with the benefit over {GRADIENTS}, mean over seeds",
    criterion=OnEvery("model", Above(0)),
    needs=(ORTHONORMALIZING,),
)
def benefit_grows_with_rank(config: RankConfig, runs: Results) -> Found:
    """The hypothesis in the document would have low ranks profit most."""

    def on(result: Result) -> Measured:
        return Measured(correlation(result, share_of_rank(result), benefit(result)))

    return on_results(runs, on)
