"""Claims of Lemma 3.5 to Corollary 3.12: how long the nuclear rank stays high in spiked models.

The theorems have constants that are not given; they are tested by their exponents in d.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from spectrain_studies.descent.config import Config
from spectrain_studies.descent.nuclear_ranks.experiment import MODELS
from spectrain_studies.descent.planted import Made, planted, powers
from spectrain_studies.descent.spiked.experiment import (
    ACCURACIES,
    CROSSED,
    CROSSED_EXPONENTS,
    ONE_STEP,
    SPIKED,
    SpikedCase,
)
from spectrain_studies.descent.stated import claim_of_exponent
from spectrain_studies.descent.statistics import BOUNDED, KEPT, LINEAR, by_size, exponent, sizes_of
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import (
    Above,
    Below,
    Found,
    Measured,
    Near,
    OnEvery,
    Result,
    Results,
    Within,
)
from spectrain_studies.frame.statistics import over_seeds


def _on_pairs(
    name: str,
    source: str,
    statement: str,
    statistic: str,
    criterion: Within,
    model: str,
    measure: Callable[[Results], Measured],
    made: Made | None = None,
) -> None:
    """A claim of a model for every pair of exponents of the smallest and the largest spike."""

    @STUDY.claim(
        name,
        source=source,
        statement=statement,
        statistic=f"{statistic}, per (ℓ, u)",
        criterion=OnEvery("(ℓ, u)", criterion),
        needs=[SPIKED],
        planted=None if made is None else powers(SPIKED, "dimension", criterion, made),
    )
    def judge(config: Config, spiked: Results) -> Found:
        return {
            f"ℓ = {lower:g}, u = {upper:g}": measure(
                spiked.where(model=model, lower=lower, upper=upper)
            )
            for lower, upper in config.dynamics.spiked.exponents
        }


def _in_d(number: Callable[[Result], float], *, larger: bool = False) -> Callable[..., Measured]:
    return lambda chosen: exponent(chosen, "dimension", number, larger=larger)


def window_rank(result: Result) -> float:
    """Smallest nr(∇L) in the window."""
    return float(((result["nuclear"] / result["frobenius"]) ** 2).min())


def _nuclear_bound(result: Result) -> float:
    """Smallest ‖∇L‖_* over its lower bound; the error d^{−q} is left out."""
    case = result.case
    lost = case.spikes
    if case.model == "teacher":
        lost = case.spikes * case.dimension ** (case.upper - case.lower)
    return float(result["nuclear"].min() / (result["bulk_nuclear"] - lost))


def _frobenius_bound(result: Result) -> float:
    """Largest ‖∇L‖_F over its upper bound; the error d^{−q} is left out."""
    case = result.case
    bound = result["bulk_frobenius"] + case.spikes**0.5
    if case.model == "teacher":
        bound = result["truth_frobenius"]
        bound += case.spikes**0.5 * case.dimension ** (case.upper - case.lower)
    return float(result["frobenius"].max() / bound)


def scale(case: SpikedCase) -> float:
    """d^u log d."""
    return float(case.dimension**case.upper * np.log(case.dimension))


HUGE = 1e12
"""Of made-up norms, beside which the additive terms of the bounds vanish."""


def _nuclear(case: SpikedCase, value: float) -> dict[str, Any]:
    return {"nuclear": np.array([value * HUGE]), "frobenius": 1.0, "bulk_nuclear": HUGE}


def _frobenius(case: SpikedCase, value: float) -> dict[str, Any]:
    return {"frobenius": np.array([value * HUGE]), "bulk_frobenius": HUGE, "truth_frobenius": HUGE}


for _model, _theorem, _corollary, _remark, _name in (
    ("realizable", "3.6", "Theorem 3.6", "1", "Realizable model"),
    ("teacher", "3.11", "Corollary 3.12", "2", "Teacher–student model"),
):
    _slug = f"theorem-{_theorem.replace('.', '-')}"
    _on_pairs(
        f"{_slug}-window",
        _corollary,
        f"{_name}: nr(∇L) ≥ C₃d throughout [C₁d^{{u−ℓ}} log d, C₂d^u], Gaussian teacher",
        "exponent in d of the smallest nr in the window, C₁ = 2, C₂ = 1",
        LINEAR,
        *(_model, _in_d(window_rank)),
        lambda case, rank: {"nuclear": np.array([rank**0.5]), "frobenius": 1.0},
    )
    _on_pairs(
        f"{_slug}-nuclear-norm",
        f"Theorem {_theorem}",
        f"{_name}: ‖∇L‖_* is at least a multiple of its bound in the window",
        "exponent in d of the smallest ratio of the two",
        KEPT,
        *(_model, _in_d(_nuclear_bound), _nuclear),
    )
    _on_pairs(
        f"{_slug}-frobenius-norm",
        f"Theorem {_theorem}",
        f"{_name}: ‖∇L‖_F is at most a multiple of its bound in the window",
        "exponent in d of the largest ratio of the two, larger half of d, since the additive term "
        "of the bound bends it at the smaller ones",
        BOUNDED,
        *(_model, _in_d(_frobenius_bound, larger=True), _frobenius),
    )
    _on_pairs(
        f"remark-{_remark}-longer-window",
        f"Remark {_remark}",
        f"{_name}: nr ≥ d^{{1−ε}} lasts until c·d^u log d",
        "exponent in d of (last step with nr ≥ d^{3/4})/(d^u log d)",
        KEPT,
        *(_model, _in_d(lambda result: result["lasting"][0] / scale(result.case))),
        lambda case, share: {"lasting": [share * scale(case), 0]},
    )


@STUDY.claim(
    "corollary-3-12-condition",
    source="Corollary 3.12",
    statement="The condition u − ℓ < ½ cannot be dropped: beyond it nr(∇L) in the window is no "
    "longer linear in d",
    statistic="exponent in d of the smallest nr in the window, teacher–student model, per (ℓ, u)",
    criterion=OnEvery("(ℓ, u)", Below(LINEAR.low)),
    needs=[CROSSED],
    planted=powers(
        CROSSED,
        "dimension",
        Below(LINEAR.low),
        lambda case, rank: {"nuclear": np.array([rank**0.5]), "frobenius": 1.0},
    ),
)
def corollary_312_condition(config: Config, crossed: Results) -> Found:
    return {
        f"ℓ = {lower:g}, u = {upper:g}": exponent(
            crossed.where(lower=lower, upper=upper), "dimension", window_rank
        )
        for lower, upper in CROSSED_EXPONENTS
    }


def _unit(case: SpikedCase) -> float:
    """d^u log(d/ε) at ε = 10⁻⁴."""
    return float(case.dimension**case.upper * np.log(case.dimension / ACCURACIES[1]))


def _linear_in_log(chosen: Results) -> Measured:
    times = chosen.where(dimension=sizes_of(chosen, "dimension")[-1]).stack("times").astype(float)
    return Measured(over_seeds((times[:, 2] - times[:, 1]) / (times[:, 1] - times[:, 0])))


_on_pairs(
    "gd-time",
    "§3.1.4, before Theorem 3.6",
    "Gradient descent needs of order d^u log(d/ε) steps to relative error ε",
    "exponent in d of T(ε)/(d^u log(d/ε)), ε = 10⁻⁴",
    Near(0.0, 0.15),
    *("realizable", _in_d(lambda result: result["times"][1] / _unit(result.case))),
    lambda case, time: {"times": [0, time * _unit(case), 0]},
)
_on_pairs(
    "gd-time-accuracy",
    "§3.1.4, before Theorem 3.6",
    "That time is linear in log(1/ε)",
    "(T(10⁻⁶) − T(10⁻⁴))/(T(10⁻⁴) − T(10⁻²)) at the largest d, mean over seeds; 1 for a single "
    "slowest rate, more for a bulk of rates",
    Within(0.9, 1.5),
    *("realizable", _linear_in_log),
    lambda case, value: {"times": [1.0, 2.0, 2 + 1.2 * value / case.dimension**1.2]},
)
_on_pairs(
    "window-is-a-constant-share",
    "§1 (overview), §3.1.4",
    "For a fixed accuracy the window of nr = Ω(d) is a constant share of the training",
    "exponent in d of (last step with nr ≥ d/2)/T(10⁻²)",
    KEPT,
    *("realizable", _in_d(lambda result: result["lasting"][1] / result["times"][0])),
    lambda case, share: {"lasting": [0, share], "times": [1.0]},
)

for _model, _place in zip(MODELS, ("§3.1.2", "§3.2.2"), strict=True):
    claim_of_exponent(
        f"one-spike-{_model}-bounded-at-start",
        _place,
        f"Under the one-spike assumption nr(∇L(W_0)) is bounded ({_model} model)",
        "exponent in d of nr(∇L(W_0))",
        BOUNDED,
        *(ONE_STEP, "dimension", "at_start"),
        model=_model,
    )
claim_of_exponent(
    "lemma-3-5-condition",
    "Lemma 3.5",
    "With η = 1/(c + ‖B‖_op) the condition number of B(I − ηB) is bounded",
    "exponent in d of the condition number, c = 1",
    BOUNDED,
    *(ONE_STEP, "dimension", "condition"),
    model="realizable",
)
claim_of_exponent(
    "lemma-3-5-nuclear-rank",
    "Lemma 3.5",
    "nr(∇L(W_1)) is at least a multiple of nr(W♯)",
    "exponent in d of nr(∇L(W_1))/nr(W♯)",
    KEPT,
    *(ONE_STEP, "dimension", lambda result: result["stepped"] / result["truth_rank"]),
    made=lambda case, ratio: {"stepped": ratio, "truth_rank": 1.0},
    model="realizable",
)


@STUDY.claim(
    "theorem-3-9-as-printed",
    source="Theorem 3.9, (3.19) as printed",
    statement="nr(∇L(W_1)) ≥ ‖M̄‖_*/‖W̄‖_F for all large d",
    statistic="ratio of the two sides, mean over seeds, by dimension",
    criterion=OnEvery("dimension", Above(1)),
    needs=[ONE_STEP],
    planted=planted(
        [ONE_STEP],
        lambda case, noise: {"stepped": 2 * noise, "bulk_ratio": 1.0},
        lambda case, noise: {"stepped": 0.5 * noise, "bulk_ratio": 1.0},
    ),
)
def theorem_39_printed(config: Config, one: Results) -> Found:
    chosen = one.where(model="teacher")
    rows = by_size(chosen, "dimension", lambda result: result["stepped"] / result["bulk_ratio"])
    names = [f"d = {d}" for d in sizes_of(chosen, "dimension")]
    return dict(zip(names, map(over_seeds, rows), strict=True))


claim_of_exponent(
    "theorem-3-9-corrected",
    "Theorem 3.9, (3.19) with the square that its proof and its corollary need",
    "nr(∇L(W_1)) is at least a multiple of (‖M̄‖_*/‖W̄‖_F)²",
    "exponent in d of the ratio of the two sides",
    KEPT,
    *(ONE_STEP, "dimension", lambda result: result["stepped"] / result["bulk_ratio"] ** 2),
    made=lambda case, ratio: {"stepped": ratio, "bulk_ratio": 1.0},
    model="teacher",
)
claim_of_exponent(
    "theorem-3-9-linear",
    "Theorem 3.9, (3.20)",
    "For Gaussian W̄ it is Ω(d)",
    "exponent in d of nr(∇L(W_1))",
    LINEAR,
    *(ONE_STEP, "dimension", "stepped"),
    model="teacher",
)
