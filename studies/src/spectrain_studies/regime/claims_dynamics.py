"""Claims of §1 (abstract), §2.1 and §3.1: the run of Figure 1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from spectrain_studies.frame import Judgement, Results, above, below, within
from spectrain_studies.frame.statistics import Array, over_seeds, told
from spectrain_studies.regime.config import Config
from spectrain_studies.regime.statistics import late, twin_norm
from spectrain_studies.regime.study import STUDY, settled
from spectrain_studies.regime.sweeps import DEFINITIONS, DYNAMICS, steps_of

PRINTED = "as printed"


def _norms(results: Results, kind: str, variant: str = PRINTED) -> tuple[Array, Array]:
    """Steps, and norms records × seeds."""
    result = results.where(variant=variant).only()
    return result["steps"].astype(np.float64), result[f"{kind}_norm"][:, 0]


def _variants(results: Results, statistic: Callable[[str], Array]) -> dict[str, Any]:
    """The same statistic on the variants of the problem, for the details."""
    return {
        result.case.variant: told(over_seeds(statistic(result.case.variant)))
        for result in results
        if result.case.variant != PRINTED
    }


@STUDY.claim(
    "fig1-w-settles",
    source="§3.1, Figure 1",
    statement="The matrix norm reaches an equilibrium",
    statistic="|late mean of ‖W‖ / mean over the middle third − 1|, mean over seeds",
    criterion="below 0.05",
    needs=[DYNAMICS],
)
@settled("dynamics")
def fig1_w_settles(config: Config, dynamics: Results) -> Judgement:
    def drift(variant: str) -> Array:
        steps, norms = _norms(dynamics, "weight", variant)
        third = steps[-1] / 3
        middle = norms[(steps >= third) & (steps < 2 * third)].mean(0)
        return np.abs(norms[steps >= 2 * third].mean(0) / middle - 1)

    return below(over_seeds(drift(PRINTED)), 0.05, details=_variants(dynamics, drift))


@STUDY.claim(
    "fig1-w-settles-quickly",
    source="§3.1",
    statement="The matrix norm reaches its equilibrium quickly",
    statistic="first moment from which ‖W‖ stays within 5 % of its late mean, in relaxation times "
    "1/(2ηλ), mean over seeds",
    criterion="below 1",
    needs=[DYNAMICS],
)
@settled("dynamics")
def fig1_w_settles_quickly(config: Config, dynamics: Results) -> Judgement:
    time = steps_of(1, config.learning_rate, config.weight_decay)

    def entered(variant: str) -> Array:
        steps, norms = _norms(dynamics, "weight", variant)
        end = norms[steps >= 2 * steps[-1] / 3].mean(0)
        outside = np.abs(norms / end - 1) > 0.05
        last = outside.shape[0] - np.argmax(outside[::-1], axis=0)
        last = np.where(outside.any(0), last, 0)
        return np.append(steps, steps[-1])[last] / time

    return below(over_seeds(entered(PRINTED)), 1.0, details=_variants(dynamics, entered))


@STUDY.claim(
    "abstract-w-at-noise-equilibrium",
    source="Abstract, §1",
    statement="Matrix parameters reach the equilibrium of noise and weight decay",
    statistic="late ‖W‖ over the norm that AdamW's noise twin settles at, d√(η/2λ)",
    criterion="within 0.9 and 1.1",
    needs=[DYNAMICS],
)
@settled("dynamics")
def w_at_noise_equilibrium(config: Config, dynamics: Results) -> Judgement:
    expected = twin_norm(config.dimension**2, config.learning_rate, config.weight_decay)

    def ratio(variant: str) -> Array:
        return late(dynamics.where(variant=variant).only(), "weight_norm")[0] / expected

    return within(over_seeds(ratio(PRINTED)), 0.9, 1.1, details=_variants(dynamics, ratio))


@STUDY.claim(
    "abstract-gamma-leaves-noise-equilibrium",
    source="Abstract, §1",
    statement="Multipliers adapt their scale freely instead of settling where noise and decay meet",
    statistic="|ln(late ‖γ‖ / norm of the noise twin, √(dη/2λ))|, mean over seeds",
    criterion="above ln 1.1",
    needs=[DYNAMICS],
)
@settled("dynamics")
def gamma_leaves_noise_equilibrium(config: Config, dynamics: Results) -> Judgement:
    expected = twin_norm(config.dimension, config.learning_rate, config.weight_decay)

    def distance(variant: str) -> Array:
        norms = late(dynamics.where(variant=variant).only(), "multiplier_norm")[0]
        return np.abs(np.log(norms / expected))

    details = _variants(dynamics, distance)
    return above(over_seeds(distance(PRINTED)), float(np.log(1.1)), details=details)


@STUDY.claim(
    "fig1-gamma-monotone",
    source="§3.1",
    statement="‖γ‖ evolves monotonically",
    statistic="|net change of ‖γ‖| over its total variation in 20 equal stretches of the run",
    criterion="above 0.9",
    needs=[DYNAMICS],
)
@settled("dynamics")
def fig1_gamma_monotone(config: Config, dynamics: Results) -> Judgement:
    def share(variant: str) -> Array:
        _, norms = _norms(dynamics, "multiplier", variant)
        ends = norms[np.linspace(0, len(norms) - 1, 21).round().astype(int)]
        return np.abs(ends[-1] - ends[0]) / np.abs(np.diff(ends, axis=0)).sum(0)

    return above(over_seeds(share(PRINTED)), 0.9, details=_variants(dynamics, share))


@STUDY.claim(
    "fig1-gamma-evolves-while-w-is-stable",
    source="Figure 1, caption",
    statement="The norm of W is stable while that of γ evolves",
    statistic="|ln change of ‖γ‖| − |ln change of ‖W‖| from the middle to the last third, paired",
    criterion="above 0",
    needs=[DYNAMICS],
)
@settled("dynamics")
def fig1_gamma_evolves(config: Config, dynamics: Results) -> Judgement:
    def excess(variant: str) -> Array:
        moved = []
        for kind in ("multiplier", "weight"):
            steps, norms = _norms(dynamics, kind, variant)
            third = steps[-1] / 3
            middle = norms[(steps >= third) & (steps < 2 * third)].mean(0)
            moved.append(np.abs(np.log(norms[steps >= 2 * third].mean(0) / middle)))
        return moved[0] - moved[1]

    return above(over_seeds(excess(PRINTED)), 0.0, details=_variants(dynamics, excess))


def _claims_of(definition: str, label: str) -> None:
    @STUDY.claim(
        f"fig1-ratio-above-5-{label}",
        source="§3.1",
        statement=f"The SNR ratio γ/W exceeds 5 throughout training ({label} SNR)",
        statistic="smallest SNR_γ/SNR_W over ten equal stretches of the run, the first included, "
        "mean over seeds",
        criterion="above 5",
        needs=[DYNAMICS],
    )
    @settled("dynamics")
    def ratio_above_5(config: Config, dynamics: Results) -> Judgement:
        def smallest(variant: str) -> Array:
            result = dynamics.where(variant=variant).only()
            ratio = result[f"multiplier_{definition}"] / result[f"weight_{definition}"]
            parts = np.array_split(ratio[:, 0], 10)
            return np.min([part.mean(0) for part in parts], axis=0)

        details = _variants(dynamics, smallest)
        return above(over_seeds(smallest(PRINTED)), 5.0, details=details)

    @STUDY.claim(
        f"s21-w-noise-dominated-{label}",
        source="§2.1",
        statement=f"SNR_W ≪ 1: the matrix is noise-dominated ({label} SNR)",
        statistic="late SNR_W, mean over seeds",
        criterion="below 0.1",
        needs=[DYNAMICS],
    )
    @settled("dynamics")
    def noise_dominated(config: Config, dynamics: Results) -> Judgement:
        def ratio(variant: str) -> Array:
            return late(dynamics.where(variant=variant).only(), f"weight_{definition}")[0]

        return below(over_seeds(ratio(PRINTED)), 0.1, details=_variants(dynamics, ratio))

    @STUDY.claim(
        f"s21-gamma-far-above-w-{label}",
        source="§2.1",
        statement=f"SNR_γ ≫ SNR_W: the multiplier is signal-dominated ({label} SNR)",
        statistic="late SNR_γ/SNR_W, mean over seeds",
        criterion="above 10",
        needs=[DYNAMICS],
    )
    @settled("dynamics")
    def far_above(config: Config, dynamics: Results) -> Judgement:
        def ratio(variant: str) -> Array:
            result = dynamics.where(variant=variant).only()
            return (
                late(result, f"multiplier_{definition}")[0]
                / late(result, f"weight_{definition}")[0]
            )

        return above(over_seeds(ratio(PRINTED)), 10.0, details=_variants(dynamics, ratio))


for _definition, _label in DEFINITIONS.items():
    _claims_of(_definition, _label)
