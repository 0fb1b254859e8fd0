"""The third design: which rule transfers among the set-ups of development."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float64

from spectrain_studies.frame import Result
from spectrain_studies.stability.divergence.alarms import (
    GROWN,
    LEVEL,
    RISEN,
    Rule,
    course,
    diverged,
    healthy,
    lasts,
    shown,
)
from spectrain_studies.stability.divergence.experiment import SCORES

REFERENCES = ("", RISEN, GROWN)
"""How a score is taken: as it is, against its own past, against its own early course."""

LASTING = (1, 3)
"""Samples in a row that it may have to last."""

MARGINS = (0.0, 0.25, 0.5, 1.0)
"""What may be added to the highest value of healthy runs, in units of its distance from the median
of their highest values."""

SHARE = 0.75
"""Of two scores at once: the share of healthy runs whose highest value each threshold exceeds."""

Courses = Float64[np.ndarray, "runs samples"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A rule whose thresholds are still to be chosen.

    Attributes:
        scores: one, or two that must be high at once.
        lasting: samples in a row.
        margin: on the threshold of one score.
        share: of healthy runs below the threshold of either of two.
    """

    scores: tuple[str, ...]
    lasting: int
    margin: float = 0.0
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Runs:
    """Healthy or diverging runs of development.

    Attributes:
        setup: of each.
        courses: by score and samples in a row that a value lasted; −∞ where there is none, or where
            an alarm would come too late.
        highest: the highest value of each.
    """

    setup: np.ndarray
    courses: Mapping[tuple[str, int], Courses]
    highest: Mapping[tuple[str, int], Float64[np.ndarray, " runs"]]


def candidates() -> Iterator[Candidate]:
    """All rules among which one is chosen, the plainest first."""
    for reference in REFERENCES:
        names = [score + reference for score in SCORES]
        for lasting in LASTING:
            for name in names:
                yield from (Candidate((name,), lasting, margin=m) for m in reversed(MARGINS))
    for reference in (RISEN, GROWN):
        names = [score + reference for score in SCORES]
        for lasting in LASTING:
            yield from (Candidate(pair, lasting, share=SHARE) for pair in combinations(names, 2))


def transferring(results: Sequence[Result], *, lead: float) -> tuple[Rule, float, float]:
    """The rule that announces most in set-ups of development that its thresholds never saw.

    Thresholds are chosen on all set-ups of development but one, and the rule is judged on that one,
    for each in turn. Of the rules that raise an alarm in at most 5 % of the healthy runs so, the
    one that announces the greatest share of divergences is taken, of equals the one with the fewest
    alarms and then the plainest; if there is none, the one with the fewest alarms.

    Args:
        results: all runs; those of the test are not looked at.
        lead: steps by which a divergence is to be announced.

    Returns:
        The rule with thresholds of all healthy runs of development; its share of false alarms and
        of announced divergences in the set-ups that were left out.
    """
    quiet = _runs(healthy(results, test=False), None)
    loud = _runs(diverged(results, test=False), lead)
    judged = [(one, *_left_out(one, quiet, loud)) for one in candidates()]
    chosen, false, announced = max(judged, key=_rank)
    limits = _limits(chosen, quiet, np.ones(len(quiet.setup), dtype=bool))
    rule = Rule(dict(zip(chosen.scores, limits, strict=True)), True, chosen.lasting)
    return rule, false, announced


def _rank(judged: tuple[Candidate, float, float]) -> tuple[float, float, float]:
    _, false, announced = judged
    return (0.0 if false <= LEVEL else -false), announced, -false


def _runs(results: Sequence[Result], lead: float | None) -> Runs:
    names = [score + reference for score in SCORES for reference in REFERENCES]
    courses: dict[tuple[str, int], Courses] = {}
    ends = [np.inf if lead is None else (shown(x["losses"]).step or 0) - lead for x in results]
    for name in names:
        own = [course(each, name) for each in results]
        for lasting in LASTING:
            rows = [
                np.where(steps <= end, lasts(values, lasting), -np.inf)
                for (steps, values), end in zip(own, ends, strict=True)
            ]
            courses[name, lasting] = _padded(rows)
    highest = {key: rows.max(1) for key, rows in courses.items()}
    return Runs(np.array([each.case.setup for each in results]), courses, highest)


def _padded(rows: Sequence[Float64[np.ndarray, " n"]]) -> Courses:
    made = np.full((len(rows), max((len(row) for row in rows), default=0) or 1), -np.inf)
    for place, row in enumerate(rows):
        made[place, : len(row)] = row
    return made


def _left_out(candidate: Candidate, quiet: Runs, loud: Runs) -> tuple[float, float]:
    """Shares of false alarms and of announced divergences, each set-up by thresholds of others."""
    false, announced = np.zeros(len(quiet.setup)), np.zeros(len(loud.setup))
    for setup in np.unique(quiet.setup):
        limits = _limits(candidate, quiet, quiet.setup != setup)
        for runs, told in ((quiet, false), (loud, announced)):
            mine = runs.setup == setup
            told[mine] = _told(candidate, runs, limits)[mine]
    return float(false.mean()), float(announced.mean()) if len(announced) else 0.0


def _limits(candidate: Candidate, quiet: Runs, use: Bool[np.ndarray, " runs"]) -> list[float]:
    """The threshold of each score by those healthy runs; ∞ where none has it."""
    found = []
    for score in candidate.scores:
        highest = np.sort(quiet.highest[score, candidate.lasting][use])
        highest = highest[np.isfinite(highest)]
        if not len(highest):
            found.append(np.inf)
            continue
        top = highest[max(int(candidate.share * len(highest)) - 1, 0)]
        found.append(float(top + candidate.margin * (top - np.median(highest))))
    return found


def _told(candidate: Candidate, runs: Runs, limits: Sequence[float]) -> Bool[np.ndarray, " runs"]:
    if len(limits) == 1:
        return runs.highest[candidate.scores[0], candidate.lasting] > limits[0]
    above = [
        runs.courses[score, candidate.lasting] > limit
        for score, limit in zip(candidate.scores, limits, strict=True)
    ]
    told: Bool[np.ndarray, " runs"] = np.logical_and.reduce(above).any(1)
    return told
