"""Claims of Figures 14 and 15 and of the gradients' closed forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from spectrain_studies.descent.config import Config
from spectrain_studies.descent.nuclear_ranks.experiment import IDENTITIES, RANKS, RanksCase
from spectrain_studies.descent.planted import Told, planted
from spectrain_studies.descent.stated import claim_of_exponent, claim_of_ratio
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import Above, Below, Measured, Near, Result, Results

FIGURE_15 = {64: (6.66, 21.9), 128: (7.42, 42.3)}
"""Nuclear ranks of the realizable model by k, at the start and after one step, mean of 3 seeds."""

NAMES = {"realizable": "realizable", "teacher": "teacher–student"}
FIGURE = "Figures 14 and 15"
LINEARLY = Near(1.0, 0.1)
SLOWLY = Below(0.25)
"""Of an exponent at sizes at which what is bounded still grows a little."""


def rank_at(step: int) -> Callable[[Result], float]:
    """nr(∇L(W_t))."""
    return lambda result: float(result["nuclear_ranks"][result.case.steps.index(step)])


def _peak(result: Result) -> float:
    return float(result["nuclear_ranks"].max())


def _peak_step(result: Result) -> float:
    return float(result.case.steps[int(result["nuclear_ranks"].argmax())])


def _flat(case: RanksCase, rank: float) -> dict[str, Any]:
    return {"nuclear_ranks": np.full(len(case.steps), rank)}


def _gaining(case: RanksCase, gain: float) -> dict[str, Any]:
    return {"gains": np.full((len(case.looks), 3), gain)}


def _gain(look: int, kind: int) -> Callable[[Result], float]:
    return lambda result: float(result["gains"][look][kind])


def _figure(factor: float) -> Told:
    def told(case: RanksCase, noise: float) -> dict[str, Any]:
        start, stepped = FIGURE_15.get(case.width, (1.0, 1.0))
        course = np.where(np.array(case.steps) == 0, start, stepped)
        return {"nuclear_ranks": factor * course}

    return told


@STUDY.claim(
    "fig15-values",
    source="Figure 15",
    statement="Nuclear ranks at the start and after one step, realizable model, k = 64 and 128",
    statistic="largest relative deviation from the document's four values, mean of seeds 0, 1, 2",
    criterion=Below(0.005),
    needs=[RANKS],
    planted=planted([RANKS], _figure(1.0), _figure(1.1)),
)
def fig15_values(config: Config, ranks: Results) -> Measured:
    deviations, unsettled = {}, ""
    for width, values in FIGURE_15.items():
        chosen = [r for r in ranks.where(model="realizable", width=width) if r.case.seed < 3]
        if len(chosen) < 3:
            unsettled = f"k = {width} was not run with three seeds"
            continue
        for step, value in enumerate(values):
            mean = np.mean([rank_at(step)(result) for result in chosen])
            deviations[f"k = {width}, t = {step}"] = abs(float(mean) / value - 1)
    worst = max(deviations.values(), default=np.nan)
    return Measured(worst, seeds=3, details=deviations, unsettled=unsettled)


for _model, _name in NAMES.items():
    claim_of_exponent(
        f"fig15-{_model}-bounded-at-start",
        f"§3.1.2, §3.2.2, {FIGURE}",
        f"The nuclear rank at the start is bounded ({_name} model)",
        "exponent of nr(∇L(W_0)) in k",
        SLOWLY,
        *(RANKS, "width", rank_at(0)),
        made=_flat,
        model=_model,
    )
    claim_of_exponent(
        f"fig15-{_model}-linear-after-one-step",
        f"Lemma 3.5, Theorem 3.9, {FIGURE}",
        f"After one step it grows linearly in the dimension ({_name} model)",
        "exponent of nr(∇L(W_1)) in k",
        LINEARLY,
        *(RANKS, "width", rank_at(1)),
        made=_flat,
        model=_model,
    )
    claim_of_exponent(
        f"fig14-{_model}-peak-linear",
        f"§3, {FIGURE}",
        f"The peak of the nuclear rank is linear in the dimension ({_name} model)",
        "exponent of the largest nr in k",
        LINEARLY,
        *(RANKS, "width", _peak),
        made=_flat,
        model=_model,
    )
for _model, _source, _form in (
    ("realizable", "§3.1.4", "−W♯(I − ηB)ᵗB"),
    ("teacher", "Lemma 3.10", "−W̄B̄(I − ηB)ᵗ, B̄ = ĀAᵀ/n,"),
):
    claim_of_ratio(
        f"identity-{_model}",
        _source,
        f"∇L(W_t) = {_form} along gradient descent from 0",
        "largest relative error over steps and seeds",
        *(IDENTITIES[_model], "errors"),
        criterion=Below(1e-10),
    )
claim_of_exponent(
    "fig14-peak-at-d",
    FIGURE,
    "The peak comes at a time that grows like the dimension (realizable model)",
    "exponent in k of the step of the largest nuclear rank",
    Near(1.0, 0.2),
    *(RANKS, "width", _peak_step),
    model="realizable",
)
for _kind, _method in enumerate(("SpecGD", "Muon")):
    claim_of_exponent(
        f"restart-{_method.lower()}-gains-with-dimension",
        "§1 (overview), §3",
        f"Started in the window of high nuclear rank, {_method} improves in one step by a factor "
        "over gradient descent that grows with the dimension",
        "exponent in k of Δ/Δ_GD at t = d, inside the window (GD at its natural length)",
        Above(0.5),
        *(RANKS, "width", _gain(2, _kind)),
        made=_gaining,
        model="realizable",
    )
    claim_of_exponent(
        f"restart-{_method.lower()}-outside-the-window",
        "§1 (overview), §3",
        f"Started outside the window, at W_0, {_method} has no such factor",
        "exponent in k of Δ/Δ_GD at t = 0 (GD at its natural length)",
        SLOWLY,
        *(RANKS, "width", _gain(0, _kind)),
        made=_gaining,
        model="realizable",
    )
claim_of_exponent(
    "restart-gain-against-a-line-search",
    "§1.2, a question that the document leaves open",
    "The factor remains where gradient descent, too, takes its best length",
    "exponent in k of Δ_Muon/Δ_GD at t = d, both at their best lengths",
    Above(0.5),
    *(RANKS, "width", _gain(2, 2)),
    made=_gaining,
    model="realizable",
)
