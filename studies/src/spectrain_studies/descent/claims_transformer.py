"""Claims of Figures 2 and 5–10: ranks of the GPT through training under Muon and AdamW."""

from __future__ import annotations

import numpy as np

from spectrain_studies.descent.config import Config
from spectrain_studies.descent.study import STUDY
from spectrain_studies.descent.transformer_courses import COURSES
from spectrain_studies.frame import Judgement, Result, Results, above, below, combined
from spectrain_studies.frame.statistics import Array, over_seeds

LARGEST = 12.7
"""Largest stable rank of an internal activation in the document's Figures 2 and 6."""

INSIDE = ("attention.q", "attention.k", "attention.v", "attention.o", "mlp.in", "mlp.out")


def of_roles(result: Result, name: str, *roles: str) -> Array:
    """Records × blocks of the given roles."""
    return np.asarray(result[name])[:, np.isin(result["roles"], roles)]


def ratios(result: Result, *roles: str) -> Array:
    """nr(G)/st(A), records × blocks of the given roles."""
    return of_roles(result, "nuclear_rank", *roles) / of_roles(result, "stable_rank", *roles)


def tables(result: Result, *, values: bool) -> np.ndarray:
    """Which blocks are token tables: the embedding, or those that are added to values."""
    added = np.array([str(name).startswith("value_embeddings") for name in result["names"]])
    return (np.asarray(result["roles"]) == "embedding") & (added == values)


def _late(path: Array) -> Array:
    """Median over the last third of the records."""
    return np.median(path[-(len(path) // 3 or 1) :], axis=0)


def _smallest(courses: Results, *roles: str) -> Judgement:
    """The criterion at every recorded step of every block."""
    per_role = {
        role: {
            "smallest": float(min(ratios(r, role).min() for r in courses)),
            "late median": float(np.median([_late(ratios(r, role)) for r in courses])),
            "share of steps": float(np.mean([(ratios(r, role) >= 1).mean() for r in courses])),
        }
        for role in roles
    }
    least = over_seeds([float(ratios(r, *roles).min()) for r in courses])
    return above(least, 1.0, details=per_role)


def _criterion(name: str, place: str, what: str, *roles: str) -> None:
    STUDY.claim(
        name,
        source=f"§1.4, {place}",
        statement=f"(1.8), nr(∇L) ≥ st(A), holds throughout training in {what}",
        statistic="smallest nr(∇L)/st(A) over blocks and recorded steps, mean over seeds",
        criterion="above 1",
        needs=[COURSES],
    )(lambda config, courses: _smallest(courses, *roles))


_criterion("fig5-criterion", "Figures 2, 5 and 6", "both MLP matrices", "mlp.in", "mlp.out")
_criterion(
    "fig8-criterion", "Figures 6 and 8", "query and key matrices", "attention.q", "attention.k"
)
_criterion(
    "fig9-criterion", "Figures 6 and 9", "value and output matrices", "attention.v", "attention.o"
)
_criterion("fig7-head-criterion", "Figures 6 and 7", "the head", "head")


@STUDY.claim(
    "fig2-low-stable-rank",
    source="§1.4, Figure 2",
    statement="Post-activations of the MLPs keep a stable rank far below their dimension",
    statistic="largest st(σ(W₁A)) over layers and recorded steps, mean over seeds",
    criterion=f"below {LARGEST}, the largest of the document's Figures 2 and 6",
    needs=[COURSES],
)
def fig2_low(config: Config, courses: Results) -> Judgement:
    late = [float(np.median(_late(r["after"]))) for r in courses]
    features = 4 * config.transformer.courses.network.width
    return below(
        over_seeds([float(r["after"].max()) for r in courses]),
        LARGEST,
        details={"late median": late, "dimension": features},
    )


@STUDY.claim(
    "fig2-which-tensor",
    source="§1.4, Figure 2",
    statement="The document's program records Figure 2 before the activation function; what feeds "
    "W₂ comes after it, and has the lower stable rank",
    statistic="mean ln(st after / st before) over layers and recorded steps, mean over seeds",
    criterion="below 0",
    needs=[COURSES],
)
def fig2_tensor(config: Config, courses: Results) -> Judgement:
    shifts = [float(np.log(r["after"] / r["before"]).mean()) for r in courses]
    details = {
        name: float(np.median([_late(r[name]) for r in courses])) for name in ("before", "after")
    }
    return below(over_seeds(shifts), 0.0, details=details)


@STUDY.claim(
    "fig5-mlp-rank-grows",
    source="§1.4, Figure 5",
    statement="Nuclear ranks of the MLP's gradients grow to far above their values at step 2",
    statistic="ln(late nr / nr at step 2), mean over blocks, mean over seeds",
    criterion="above ln 2",
    needs=[COURSES],
)
def fig5_grows(config: Config, courses: Results) -> Judgement:
    def growth(result: Result, *roles: str) -> float:
        path = of_roles(result, "nuclear_rank", *roles)
        return float(np.log(_late(path) / path[0]).mean())

    details = {
        role: float(np.mean([growth(r, role) for r in courses])) for role in ("mlp.in", "mlp.out")
    }
    grown = [growth(r, "mlp.in", "mlp.out") for r in courses]
    return above(over_seeds(grown), float(np.log(2)), details=details)


@STUDY.claim(
    "fig6-low-stable-rank",
    source="§1.4, Figure 6",
    statement="RMS-normalized activations before attention, MLP and head have low stable rank",
    statistic="largest st over blocks and recorded steps, mean over seeds",
    criterion=f"below {LARGEST}, the largest of the document's figure",
    needs=[COURSES],
)
def fig6_low(config: Config, courses: Results) -> Judgement:
    roles = ("attention.q", "mlp.in", "head")
    details = {
        role: float(np.median([_late(of_roles(r, "stable_rank", role)) for r in courses]))
        for role in roles
    }
    largest = [float(of_roles(r, "stable_rank", *roles).max()) for r in courses]
    return below(over_seeds(largest), LARGEST, details=details)


@STUDY.claim(
    "fig7-embedding-milder",
    source="§1.4, Figures 7 and 10",
    statement="At the embedding nr(∇L)/st(X) is above one, and much smaller than inside the blocks",
    statistic="late ratio at the embedding; and over the median late ratio of the matrices inside "
    "the blocks; means over seeds",
    criterion="the first above 1, the second below ½",
    needs=[COURSES],
)
def fig7_embedding(config: Config, courses: Results) -> Judgement:
    def late(result: Result) -> float:
        chosen = tables(result, values=False)
        path = result["nuclear_rank"][:, chosen] / result["stable_rank"][:, chosen]
        return float(_late(path)[0])

    inside = [float(np.median(_late(ratios(r, *INSIDE)))) for r in courses]
    own = [late(r) for r in courses]
    return combined(
        {
            "above one": above(over_seeds(own), 1.0),
            "milder": below(over_seeds(np.divide(own, inside)), 0.5),
        }
    )


@STUDY.claim(
    "fig7-value-tables",
    source="§1.4, Figure 7",
    statement="Value embeddings have gradients of nuclear rank above the indicator's stable rank",
    statistic="smallest nr(∇L)/st(X) over recorded steps, mean over seeds",
    criterion="above 1",
    needs=[COURSES],
)
def fig7_values(config: Config, courses: Results) -> Judgement:
    least = []
    for result in courses:
        chosen = tables(result, values=True)
        path = result["nuclear_rank"][:, chosen] / result["stable_rank"][:, chosen]
        least.append(float(path.min()))
    return above(over_seeds(least), 1.0)


@STUDY.claim(
    "fig10-indicator",
    source="(2.15), Figure 10",
    statement="The token indicator's stable rank is one over the share of the commonest token",
    statistic="largest |st·p_max − 1| over recorded steps and seeds, st by singular values",
    criterion="below 10⁻⁹",
    needs=[COURSES],
)
def fig10_indicator(config: Config, courses: Results) -> Judgement:
    off = max(float(np.abs(r["indicator"] * r["commonest"] - 1).max()) for r in courses)
    details = {"mean stable rank": float(np.mean([r["indicator"].mean() for r in courses]))}
    return below(off, 1e-9, seeds=len(courses), details=details)


@STUDY.claim(
    "fig10-bound-is-loose",
    source="§2.2.1, Figure 10",
    statement="The embedded tokens' stable rank lies well below the bound of order 1/p_max",
    statistic="st(embedded tokens)/st(indicator), mean over recorded steps, mean over seeds",
    criterion="below 1",
    needs=[COURSES],
)
def fig10_loose(config: Config, courses: Results) -> Judgement:
    shares = [float((r["embedding"] / r["indicator"]).mean()) for r in courses]
    details = {
        "embedded, at first and late": [
            float(np.mean([r["embedding"][0] for r in courses])),
            float(np.mean([_late(r["embedding"][:, None]) for r in courses])),
        ]
    }
    return below(over_seeds(shares), 1.0, details=details)
