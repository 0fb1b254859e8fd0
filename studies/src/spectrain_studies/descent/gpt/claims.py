"""Claims of Figures 2 and 5–10: ranks of the GPT through training under Muon and AdamW."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from spectrain_studies.descent.config import Config
from spectrain_studies.descent.gpt.experiment import COURSES, CourseCase
from spectrain_studies.descent.planted import Told, planted
from spectrain_studies.descent.stated import claim_of_ratio
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import (
    Above,
    AllOf,
    Always,
    Below,
    Found,
    Measured,
    Result,
    Results,
)
from spectrain_studies.frame.statistics import Array, Flags, over_seeds, violations

LARGEST = 12.7
"""Largest stable rank of an internal activation in the document's Figures 2 and 6."""

INSIDE = ("attention.q", "attention.k", "attention.v", "attention.o", "mlp.in", "mlp.out")


def of_roles(result: Result, name: str, *roles: str) -> Array:
    """Records × blocks of the given roles."""
    return np.asarray(result[name])[:, np.isin(result["roles"], roles)]


def _ratios(result: Result, *roles: str) -> Array:
    """nr(G)/st(A), records × blocks of the given roles."""
    return of_roles(result, "nuclear_rank", *roles) / of_roles(result, "stable_rank", *roles)


def tables(result: Result, *, values: bool) -> np.ndarray:
    """Which blocks are token tables: the embedding, or those that are added to values."""
    added = np.array([str(name).startswith("value_embeddings") for name in result["names"]])
    return (np.asarray(result["roles"]) == "embedding") & (added == values)


def _of_tables(result: Result, *, values: bool) -> Array:
    chosen = tables(result, values=values)
    return np.asarray(result["nuclear_rank"][:, chosen] / result["stable_rank"][:, chosen])


def _late(path: Array) -> Array:
    """Median over the last third of the records."""
    return np.median(path[-(len(path) // 3 or 1) :], axis=0)


def _late_median(courses: Results, path: str, *roles: str) -> float:
    rows = [of_roles(r, path, *roles) if roles else r[path] for r in courses]
    return float(np.median([_late(row) for row in rows]))


def _always(rows: list[Flags], **details: Any) -> Measured:
    found = violations(np.stack(rows))
    return replace(found, details={**found.details, **details})


def _course(share: float, *, late: float = 8.0, embedding: float = 2.0) -> Told:
    """One block of every role, whose criterion and bound are broken in a share of the records.

    Args:
        share: of the records at first, one more with every seed.
        late: nuclear rank of the others.
        embedding: ratio of both ranks at the embedding.
    """
    roles = [*INSIDE, "head", "embedding", "embedding"]

    def told(case: CourseCase, noise: float) -> dict[str, Any]:
        stable, nuclear = np.ones((1000, len(roles))), np.full((1000, len(roles)), late * noise)
        broken = slice(1000 - int(1000 * share) - case.seed, None)
        stable[broken], nuclear[broken] = 2 * LARGEST, LARGEST
        stable[:, -2], nuclear[:, -2], nuclear[0] = 1.0, embedding * noise**2, 1.0
        names = [*roles[:-1], "value_embeddings.0"]
        ranks = {"stable_rank": stable, "nuclear_rank": nuclear, "after": stable}
        return {"roles": roles, "names": names, "before": stable[:, :1] * 0 + 9 * noise, **ranks}

    return told


RARELY = planted([COURSES], _course(0.001), _course(0.5))


def _criterion(name: str, place: str, what: str, *roles: str) -> None:
    @STUDY.claim(
        name,
        source=f"§1.2.1, {place}",
        statement=f"(1.8), nr(∇L) ≥ st(A), holds throughout training in {what}",
        statistic="share of blocks and recorded steps with nr(∇L) < st(A), over seeds",
        criterion=Always(),
        needs=[COURSES],
        planted=RARELY,
    )
    def judge(config: Config, courses: Results) -> Measured:
        told = {
            role: {
                "smallest": float(min(_ratios(r, role).min() for r in courses)),
                "late median": float(np.median([_late(_ratios(r, role)) for r in courses])),
                "share of steps": float(np.mean([_ratios(r, role) >= 1 for r in courses])),
            }
            for role in roles
        }
        return _always([_ratios(r, *roles) < 1 for r in courses], **told)


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
    source="§1.1, Figure 2",
    statement=f"Post-activations of the MLPs keep a stable rank below {LARGEST}, the largest of "
    "the document's Figures 2 and 6, far below their dimension",
    statistic="share of layers and recorded steps with st(σ(W₁A)) above that, over seeds",
    criterion=Always(),
    needs=[COURSES],
    planted=RARELY,
)
def fig2_low(config: Config, courses: Results) -> Measured:
    told = {"late median": _late_median(courses, "after"), "largest": _largest(courses, "after")}
    features = 4 * config.transformer.courses.network.width
    return _always([r["after"] > LARGEST for r in courses], **told, dimension=features)


def _largest(courses: Results, name: str, *roles: str) -> list[float]:
    rows = [of_roles(r, name, *roles) if roles else r[name] for r in courses]
    return [float(row.max()) for row in rows]


@STUDY.claim(
    "fig2-which-tensor",
    source="§1.1, Figure 2",
    statement="The document's program records Figure 2 before the activation function; what feeds "
    "W₂ comes after it, and has the lower stable rank",
    statistic="mean ln(st after / st before) over layers and recorded steps, mean over seeds",
    criterion=Below(0),
    needs=[COURSES],
    planted=planted([COURSES], _course(0.001), _course(0.999)),
)
def fig2_tensor(config: Config, courses: Results) -> Measured:
    shifts = [float(np.log(r["after"] / r["before"]).mean()) for r in courses]
    told = {name: _late_median(courses, name) for name in ("before", "after")}
    return Measured(over_seeds(shifts), details=told)


@STUDY.claim(
    "fig5-mlp-rank-grows",
    source="§1.2.1, Figure 5",
    statement="Nuclear ranks of the MLP's gradients grow to far above their values at step 2",
    statistic="ln(late nr / nr at step 2), mean over blocks, mean over seeds",
    criterion=Above(float(np.log(2))),
    needs=[COURSES],
    planted=planted([COURSES], _course(0.0), _course(0.0, late=1.5)),
)
def fig5_grows(config: Config, courses: Results) -> Measured:
    def growth(result: Result, *roles: str) -> float:
        path = of_roles(result, "nuclear_rank", *roles)
        return float(np.log(_late(path) / path[0]).mean())

    roles = ("mlp.in", "mlp.out")
    told = {role: float(np.mean([growth(r, role) for r in courses])) for role in roles}
    return Measured(over_seeds([growth(r, *roles) for r in courses]), details=told)


@STUDY.claim(
    "fig6-low-stable-rank",
    source="§1.2.1, Figure 6",
    statement="RMS-normalized activations before attention, MLP and head have a stable rank below "
    f"{LARGEST}, the largest of the document's figure",
    statistic="share of blocks and recorded steps with a stable rank above that, over seeds",
    criterion=Always(),
    needs=[COURSES],
    planted=RARELY,
)
def fig6_low(config: Config, courses: Results) -> Measured:
    roles = ("attention.q", "mlp.in", "head")
    told = {role: _late_median(courses, "stable_rank", role) for role in roles}
    largest = _largest(courses, "stable_rank", *roles)
    rows = [of_roles(r, "stable_rank", *roles) > LARGEST for r in courses]
    return _always(rows, **told, largest=largest)


@STUDY.claim(
    "fig7-embedding-milder",
    source="§1.2.1, Figures 7 and 10",
    statement="At the embedding nr(∇L)/st(X) is above one, and much smaller than inside the blocks",
    statistic="late ratio at the embedding; and over the median late ratio of the matrices inside "
    "the blocks; means over seeds",
    criterion=AllOf({"at the embedding": Above(1), "over that inside": Below(0.5)}),
    needs=[COURSES],
    planted=planted([COURSES], _course(0.0), _course(0.0, embedding=0.5)),
)
def fig7_embedding(config: Config, courses: Results) -> Found:
    own = [float(_late(_of_tables(r, values=False))[0]) for r in courses]
    inside = [float(np.median(_late(_ratios(r, *INSIDE)))) for r in courses]
    return {
        "at the embedding": over_seeds(own),
        "over that inside": over_seeds(np.divide(own, inside)),
    }


@STUDY.claim(
    "fig7-value-tables",
    source="§1.2.1, Figure 7",
    statement="Value embeddings have gradients of nuclear rank above the indicator's stable rank",
    statistic="share of recorded steps with nr(∇L) < st(X), over seeds",
    criterion=Always(),
    needs=[COURSES],
    planted=RARELY,
)
def fig7_values(config: Config, courses: Results) -> Measured:
    rows = [_of_tables(r, values=True) for r in courses]
    return _always([row < 1 for row in rows], smallest=[float(row.min()) for row in rows])


claim_of_ratio(
    "fig10-indicator",
    "(2.15), Figure 10",
    "The token indicator's stable rank is one over the share of the commonest token",
    "largest |st·p_max − 1| over recorded steps and seeds, st by singular values",
    *(COURSES, "indicator_error"),
    criterion=Below(1e-9),
)


@STUDY.claim(
    "fig10-bound-is-loose",
    source="§2.2.1, Figure 10",
    statement="The embedded tokens' stable rank lies below the bound of order 1/p_max",
    statistic="st(embedded tokens)/st(indicator), mean over recorded steps, mean over seeds",
    criterion=Below(1),
    needs=[COURSES],
    planted=planted(
        [COURSES],
        lambda case, noise: {"embedding": np.full(9, 0.5 * noise), "indicator": np.ones(9)},
        lambda case, noise: {"embedding": np.full(9, 1.5 * noise), "indicator": np.ones(9)},
    ),
)
def fig10_loose(config: Config, courses: Results) -> Measured:
    shares = [float((r["embedding"] / r["indicator"]).mean()) for r in courses]
    first = float(np.mean([r["embedding"][0] for r in courses]))
    late = float(np.mean([_late(r["embedding"][:, None]) for r in courses]))
    return Measured(over_seeds(shares), details={"embedded, at first and late": [first, late]})
