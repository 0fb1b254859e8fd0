"""Claims of Figures 14 and 15 and of the gradients' closed forms."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spectrain_studies.descent.closed_form import IDENTITIES, MODELS, RANKS
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import Judgement, Result, Results, above, below, undecided, within
from spectrain_studies.frame.statistics import Array, log_slope

FIGURE_15 = {64: (6.66, 21.9), 128: (7.42, 42.3)}
"""Nuclear ranks of the realizable model by k, at the start and after one step, mean of 3 seeds."""

NAMES = {"realizable": "realizable", "teacher": "teacher–student"}
FIGURE = "Figures 14 and 15"


def widths(results: Results) -> list[int]:
    """k, ascending."""
    return sorted({result.case.width for result in results})


def by_width(results: Results, model: str, number: Callable[[Result], float]) -> Array:
    """A number of every case: widths × seeds."""
    chosen = results.where(model=model)
    return np.array([[number(r) for r in chosen.where(width=k)] for k in widths(chosen)])


def rank_at(step: int) -> Callable[[Result], float]:
    """nr(∇L(W_t))."""
    return lambda result: float(result["nuclear_ranks"][result.case.steps.index(step)])


def peak(result: Result) -> float:
    """Largest nuclear rank of the course."""
    return float(result["nuclear_ranks"].max())


def peak_step(result: Result) -> float:
    """Where it is."""
    return float(result.case.steps[int(result["nuclear_ranks"].argmax())])


@STUDY.claim(
    "fig15-values",
    source="Figure 15",
    statement="Nuclear ranks at the start and after one step, realizable model, k = 64 and 128",
    statistic="largest relative deviation from the document's four values, mean of seeds 0, 1, 2",
    criterion="below 0.005, three digits",
    needs=[RANKS],
)
def fig15_values(config: Config, ranks: Results) -> Judgement:
    deviations = {}
    for width, values in FIGURE_15.items():
        chosen = [r for r in ranks.where(model="realizable", width=width) if r.case.seed < 3]
        if len(chosen) < 3:
            return undecided(f"k = {width} was not run with three seeds")
        for step, value in enumerate(values):
            mean = np.mean([rank_at(step)(result) for result in chosen])
            deviations[f"k = {width}, t = {step}"] = abs(float(mean) / value - 1)
    return below(max(deviations.values()), 0.005, seeds=3, details=deviations)


def _claims_of(model: str) -> None:
    name = NAMES[model]

    @STUDY.claim(
        f"fig15-{model}-bounded-at-start",
        source=f"§3.1.2, §3.2.2, {FIGURE}",
        statement=f"The nuclear rank at the start is bounded ({name} model)",
        statistic="exponent of nr(∇L(W_0)) in k",
        criterion="below 0.25",
        needs=[RANKS],
    )
    def at_start(config: Config, ranks: Results) -> Judgement:
        values = by_width(ranks, model, rank_at(0))
        details = dict(zip(map(str, widths(ranks)), values.mean(1).tolist(), strict=True))
        return below(log_slope(widths(ranks), values), 0.25, details=details)

    @STUDY.claim(
        f"fig15-{model}-linear-after-one-step",
        source=f"Lemma 3.5, Theorem 3.9, {FIGURE}",
        statement=f"After one step it grows linearly in the dimension ({name} model)",
        statistic="exponent of nr(∇L(W_1)) in k",
        criterion="within 0.9 and 1.1",
        needs=[RANKS],
    )
    def after_one_step(config: Config, ranks: Results) -> Judgement:
        values = by_width(ranks, model, rank_at(1))
        shares = (values.mean(1) / widths(ranks)).tolist()
        details = {"nr/k": dict(zip(map(str, widths(ranks)), shares, strict=True))}
        return within(log_slope(widths(ranks), values), 0.9, 1.1, details=details)

    @STUDY.claim(
        f"fig14-{model}-peak-linear",
        source=f"§3, {FIGURE}",
        statement=f"The peak of the nuclear rank is linear in the dimension ({name} model)",
        statistic="exponent of the largest nr in k",
        criterion="within 0.9 and 1.1",
        needs=[RANKS],
    )
    def peak_linear(config: Config, ranks: Results) -> Judgement:
        values = by_width(ranks, model, peak)
        shares = (values.mean(1) / widths(ranks)).tolist()
        steps = by_width(ranks, model, peak_step).mean(1).tolist()
        details = {
            "nr/k": dict(zip(map(str, widths(ranks)), shares, strict=True)),
            "step": dict(zip(map(str, widths(ranks)), steps, strict=True)),
        }
        return within(log_slope(widths(ranks), values), 0.9, 1.1, details=details)

    @STUDY.claim(
        f"identity-{model}",
        source="§3.1.4" if model == "realizable" else "Lemma 3.10",
        statement=(
            "∇L(W_t) = −W♯(I − ηB)ᵗB along gradient descent from 0"
            if model == "realizable"
            else "∇L(W_t) = −W̄B̄(I − ηB)ᵗ, B̄ = ĀAᵀ/n, along gradient descent from 0"
        ),
        statistic="largest relative error over steps and seeds",
        criterion="below 10⁻¹⁰",
        needs=[IDENTITIES[model]],
    )
    def identity(config: Config, found: Results) -> Judgement:
        return below(float(found.stack("errors").max()), 1e-10, seeds=len(found))


for _model in MODELS:
    _claims_of(_model)


def _gains(results: Results, look: int, kind: int) -> Array:
    """Of the realizable model: widths × seeds."""
    return by_width(results, "realizable", lambda result: float(result["gains"][look][kind]))


@STUDY.claim(
    "fig14-peak-at-d",
    source=FIGURE,
    statement="The peak comes at a time that grows like the dimension (realizable model)",
    statistic="exponent in k of the step of the largest nuclear rank",
    criterion="within 0.8 and 1.2",
    needs=[RANKS],
)
def peak_at_d(config: Config, ranks: Results) -> Judgement:
    return within(log_slope(widths(ranks), by_width(ranks, "realizable", peak_step)), 0.8, 1.2)


def _claims_of_gains(kind: int, method: str, slug: str) -> None:
    @STUDY.claim(
        f"restart-{slug}-gains-with-dimension",
        source="§1 (overview), §3",
        statement=f"Started in the window of high nuclear rank, {method} improves in one step by a "
        "factor over gradient descent that grows with the dimension",
        statistic="exponent in k of Δ/Δ_GD at t = d, inside the window (GD at its natural length)",
        criterion="above 0.5",
        needs=[RANKS],
    )
    def grows(config: Config, ranks: Results) -> Judgement:
        values = _gains(ranks, 2, kind)
        details = dict(zip(map(str, widths(ranks)), values.mean(1).tolist(), strict=True))
        return above(log_slope(widths(ranks), values), 0.5, details=details)

    @STUDY.claim(
        f"restart-{slug}-outside-the-window",
        source="§1 (overview), §3",
        statement=f"Started outside the window, at W_0, {method} has no such factor",
        statistic="exponent in k of Δ/Δ_GD at t = 0 (GD at its natural length)",
        criterion="below 0.25",
        needs=[RANKS],
    )
    def outside(config: Config, ranks: Results) -> Judgement:
        values = _gains(ranks, 0, kind)
        names = [str(width) for width in widths(ranks)]
        details = {
            label: dict(zip(names, _gains(ranks, look, kind).mean(1).tolist(), strict=True))
            for label, look in (("t = 0", 0), ("last step", 3))
        }
        return below(log_slope(widths(ranks), values), 0.25, details=details)


_claims_of_gains(0, "SpecGD", "specgd")
_claims_of_gains(1, "Muon", "muon")


@STUDY.claim(
    "restart-gain-against-a-line-search",
    source="§1.2, a question that the document leaves open",
    statement="The factor remains where gradient descent, too, takes its best length",
    statistic="exponent in k of Δ_Muon/Δ_GD at t = d, both at their best lengths",
    criterion="above 0.5",
    needs=[RANKS],
)
def against_line_search(config: Config, ranks: Results) -> Judgement:
    values = _gains(ranks, 2, 2)
    details = dict(zip(map(str, widths(ranks)), values.mean(1).tolist(), strict=True))
    return above(log_slope(widths(ranks), values), 0.5, details=details)
