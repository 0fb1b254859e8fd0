"""Claims of the abstract, §2.1 and §3.1: the run of Figure 1."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import log
from typing import Any

import numpy as np

from spectrain_studies.frame import (
    Above,
    AllOf,
    Below,
    Differs,
    Measured,
    OnEvery,
    Results,
    Untestable,
    Within,
)
from spectrain_studies.frame.statistics import Array, as_details, over_seeds
from spectrain_studies.regime.config import Config
from spectrain_studies.regime.model.experiment import DEFINITIONS, DYNAMICS, steps_of
from spectrain_studies.regime.model.planted import planted, power, rising
from spectrain_studies.regime.statistics import late, settled, twin_norm
from spectrain_studies.regime.study import STUDY

PRINTED = "as printed"
STRETCHES = 10
NORMALISED = "snr_parameter_normalised"


def _norms(results: Results, kind: str, variant: str = PRINTED) -> tuple[Array, Array]:
    """Steps, and norms records × seeds."""
    result = results.where(variant=variant).only()
    return result["steps"].astype(np.float64), result[f"{kind}_norm"][:, 0]


def _measured(results: Results, statistic: Callable[[str], Array]) -> Measured:
    """A statistic of the run as printed, with that of the other variants of the problem."""
    others: dict[str, Any] = {
        result.case.variant: as_details(over_seeds(statistic(result.case.variant)))
        for result in results
        if result.case.variant != PRINTED
    }
    return Measured(over_seeds(statistic(PRINTED)), details=others)


def _last_third(dynamics: Results, kind: str, variant: str) -> Array:
    """Mean norm over the last third of the run, over that of the middle third."""
    steps, norms = _norms(dynamics, kind, variant)
    third = steps[-1] / 3
    middle = norms[(steps >= third) & (steps < 2 * third)].mean(0)
    return np.asarray(norms[steps >= 2 * third].mean(0) / middle)


def _log_change(dynamics: Results, kind: str, variant: str) -> Array:
    return np.log(_last_third(dynamics, kind, variant))


@STUDY.claim(
    "fig1-w-settles",
    source="§3.1, Figure 1",
    statement="The matrix norm reaches an equilibrium",
    statistic="|late mean of ‖W‖ / mean over the middle third − 1|, mean over seeds",
    criterion=Below(0.05),
    needs=[DYNAMICS],
    planted=planted(DYNAMICS, {}, {"weight_norm": rising(1.0)}),
)
@settled
def fig1_w_settles(config: Config, dynamics: Results) -> Measured:
    return _measured(dynamics, lambda v: np.abs(_last_third(dynamics, "weight", v) - 1))


@STUDY.claim(
    "fig1-w-settles-quickly",
    source="§3.1",
    statement="The matrix norm reaches its equilibrium quickly",
    statistic="first moment from which ‖W‖ stays within 5 % of its late mean, in relaxation times "
    "1/(2ηλ), mean over seeds",
    criterion=Below(1),
    needs=[DYNAMICS],
)
@settled
def fig1_w_settles_quickly(config: Config, dynamics: Results) -> Measured:
    time = steps_of(1, config.learning_rate, config.weight_decay)

    def entered(variant: str) -> Array:
        steps, norms = _norms(dynamics, "weight", variant)
        end = norms[steps >= 2 * steps[-1] / 3].mean(0)
        outside = np.abs(norms / end - 1) > 0.05
        last = outside.shape[0] - np.argmax(outside[::-1], axis=0)
        last = np.where(outside.any(0), last, 0)
        return np.asarray(np.append(steps, steps[-1])[last] / time)

    return _measured(dynamics, entered)


def _twin(config: Config, kind: str) -> float:
    count = config.dimension ** (2 if kind == "weight" else 1)
    return twin_norm(count, config.learning_rate, config.weight_decay)


@STUDY.claim(
    "abstract-w-at-noise-equilibrium",
    source="Abstract, §1",
    statement="Matrix parameters reach the equilibrium of noise and weight decay",
    statistic="late ‖W‖ over the norm that AdamW's noise twin settles at, d√(η/2λ)",
    criterion=Within(0.9, 1.1),
    needs=[DYNAMICS],
    planted=planted(
        DYNAMICS,
        {"weight_norm": lambda config, case, x: _twin(config, "weight")},
        {"weight_norm": lambda config, case, x: 1.3 * _twin(config, "weight")},
    ),
)
@settled
def w_at_noise_equilibrium(config: Config, dynamics: Results) -> Measured:
    def ratio(variant: str) -> Array:
        norms = late(dynamics.where(variant=variant).only(), "weight_norm")[0]
        return np.asarray(norms / _twin(config, "weight"))

    return _measured(dynamics, ratio)


@STUDY.claim(
    "abstract-gamma-leaves-noise-equilibrium",
    source="Abstract, §1",
    statement="Multipliers adapt their scale freely instead of settling where noise and decay meet",
    statistic="ln(late ‖γ‖ / norm of the noise twin, √(dη/2λ)), mean over seeds",
    criterion=Differs(equal=round(log(1.1), 3)),
    needs=[DYNAMICS],
    planted=planted(
        DYNAMICS,
        {"multiplier_norm": lambda config, case, x: 1.3 * _twin(config, "multiplier")},
        {"multiplier_norm": lambda config, case, x: _twin(config, "multiplier")},
    ),
)
@settled
def gamma_leaves_noise_equilibrium(config: Config, dynamics: Results) -> Measured:
    """With its sign: the mean of sizes is above 0 also where nothing but luck moves γ."""

    def distance(variant: str) -> Array:
        norms = late(dynamics.where(variant=variant).only(), "multiplier_norm")[0]
        return np.asarray(np.log(norms / _twin(config, "multiplier")))

    return _measured(dynamics, distance)


@STUDY.claim(
    "fig1-gamma-monotone",
    source="§3.1",
    statement="‖γ‖ evolves monotonically",
    statistic="|net change of ‖γ‖| over its total variation in 20 equal stretches of the run",
    criterion=Above(0.9),
    needs=[DYNAMICS],
)
@settled
def fig1_gamma_monotone(config: Config, dynamics: Results) -> Measured:
    def share(variant: str) -> Array:
        _, norms = _norms(dynamics, "multiplier", variant)
        ends = norms[np.linspace(0, len(norms) - 1, 21).round().astype(int)]
        return np.asarray(np.abs(ends[-1] - ends[0]) / np.abs(np.diff(ends, axis=0)).sum(0))

    return _measured(dynamics, share)


@STUDY.claim(
    "fig1-gamma-evolves-while-w-is-stable",
    source="Figure 1, caption",
    statement="The norm of W is stable while that of γ evolves",
    statistic="ln change of each norm from the middle to the last third of the run",
    criterion=AllOf({"change of ‖γ‖": Differs(equal=0.01), "change of ‖W‖": Within(-0.05, 0.05)}),
    needs=[DYNAMICS],
    planted=planted(
        DYNAMICS,
        {"multiplier_norm": rising(1.0)},
        {"multiplier_norm": rising(1.0), "weight_norm": rising(1.0)},
    ),
)
@settled
def fig1_gamma_evolves(config: Config, dynamics: Results) -> dict[str, Measured]:
    """With signs: a vector of few entries fluctuates more than a matrix, also at rest."""
    kinds = {"change of ‖γ‖": "multiplier", "change of ‖W‖": "weight"}
    return {
        name: _measured(dynamics, partial(_log_change, dynamics, kind))
        for name, kind in kinds.items()
    }


def _claims_of(definition: str, reading: str) -> None:
    gamma, weight = f"multiplier_{definition}", f"weight_{definition}"
    label = reading.removesuffix(" SNR").replace(" ", "-")

    @STUDY.claim(
        f"fig1-ratio-above-5-{label}",
        source="§3.1",
        statement="The SNR ratio γ/W exceeds 5 throughout training",
        reading=reading,
        statistic=f"SNR_γ/SNR_W in each of {STRETCHES} equal stretches of the run, the first "
        "included, mean over seeds",
        criterion=OnEvery("stretch", Above(5)),
        needs=[DYNAMICS],
        planted=planted(DYNAMICS, {gamma: power(0.0, 7)}, {gamma: power(0.0, 3)}),
    )
    @settled
    def ratio_above_5(config: Config, dynamics: Results) -> dict[str, Measured]:
        def stretch(number: int, variant: str) -> Array:
            result = dynamics.where(variant=variant).only()
            ratio = np.array_split((result[gamma] / result[weight])[:, 0], STRETCHES)
            return np.asarray(ratio[number].mean(0))

        return {
            f"{number + 1}": _measured(dynamics, partial(stretch, number))
            for number in range(STRETCHES)
        }

    far = Below(0.1)
    constant = Untestable(
        "this SNR is that of the whole tensor over the number of entries, 100 at d = 10: it lies "
        "below 0.1 in either regime"
    )

    @STUDY.claim(
        f"s21-w-noise-dominated-{label}",
        source="§2.1",
        statement="SNR_W ≪ 1: the matrix is noise-dominated",
        reading=reading,
        statistic="late SNR_W, mean over seeds",
        criterion=constant if definition == NORMALISED else far,
        needs=[DYNAMICS],
        planted=None
        if definition == NORMALISED
        else planted(DYNAMICS, {weight: power(0.0, 0.05)}, {weight: power(0.0, 0.3)}),
    )
    @settled
    def noise_dominated(config: Config, dynamics: Results) -> Measured:
        return _measured(dynamics, lambda v: late(dynamics.where(variant=v).only(), weight)[0])

    @STUDY.claim(
        f"s21-gamma-far-above-w-{label}",
        source="§2.1",
        statement="SNR_γ ≫ SNR_W: the multiplier is signal-dominated",
        reading=reading,
        statistic="late SNR_γ/SNR_W, mean over seeds",
        criterion=Above(10),
        needs=[DYNAMICS],
        planted=planted(DYNAMICS, {gamma: power(0.0, 12)}, {gamma: power(0.0, 3)}),
    )
    @settled
    def far_above(config: Config, dynamics: Results) -> Measured:
        def ratio(variant: str) -> Array:
            result = dynamics.where(variant=variant).only()
            return np.asarray(late(result, gamma)[0] / late(result, weight)[0])

        return _measured(dynamics, ratio)


for _definition, _reading in DEFINITIONS.items():
    _claims_of(_definition, f"{_reading} SNR")
