"""What short branches tell of the end of a training, and how surely."""

from __future__ import annotations

from zlib import crc32

import numpy as np

from spectrain_studies.descent.config import Config
from spectrain_studies.descent.planted import planted
from spectrain_studies.descent.study import STUDY
from spectrain_studies.descent.trials.experiment import BASE, BRANCHES, RATE, BranchCase
from spectrain_studies.frame import Above, Measured, Results, Within
from spectrain_studies.frame.statistics import Array, rank_correlation, share

SOURCE = "§1.2.2 (our question: does a short branch tell where Muon helps?)"
NINETY = 1.645
"""Half of a 90 % interval in standard deviations."""


def pairs(found: Results, horizon: int) -> dict[str, tuple[Array, Array]]:
    """Effects by workload on branches and at the end, as shares of the base's loss.

    Changes of rates are left out: trials never adopt them.

    Args:
        found: results of the branches.
        horizon: place of the branches' length among the horizons.
    """
    told: dict[str, tuple[Array, Array]] = {}
    for base in (result for result in found if result.case.change == BASE):
        workload = base.case.workload
        changed = [
            result
            for result in found
            if result.case.workload == workload
            and result.case.change != BASE
            and not result.case.change.endswith(RATE)
        ]
        if changed:
            short = np.array(
                [np.nanmean((r["short"] / base["short"] - 1)[horizon]) for r in changed]
            )
            end = np.array([np.mean(r["full"] / base["full"] - 1) for r in changed])
            finite = np.isfinite(short) & np.isfinite(end)
            told[workload] = short[finite], end[finite]
    return told


def joined(told: dict[str, tuple[Array, Array]]) -> tuple[Array, Array]:
    """Effects of all workloads."""
    short, end = zip(*told.values(), strict=True)
    return np.concatenate(short), np.concatenate(end)


def line(short: Array, end: Array) -> tuple[float, float]:
    """Share of a branch's effect that the end shows, and the scatter beside it.

    Example:
        >>> kept, scatter = line(np.array([1.0, 2.0]), np.array([0.5, 1.0]))
        >>> round(kept, 3), round(scatter, 3)
        (0.5, 0.0)
    """
    kept = float(short @ end / (short @ short))
    rest = end - kept * short
    return kept, float(np.sqrt(rest @ rest / max(len(rest) - 1, 1)))


def _made(sign: float, case: BranchCase, factor: float) -> dict[str, Array]:
    name = f"{case.workload} {case.change}".encode()
    effect = 0.0 if case.change == BASE else 0.02 * (crc32(name) / 2**32 - 0.5)
    sizes = case.sizes
    return {
        "short": np.full((len(sizes.horizons), 2), 1 + effect),
        "full": np.full(sizes.seeds, 1 + sign * effect) * (1 + 1e-4 * (factor - 1)),
    }


WORLDS = planted(
    [BRANCHES],
    lambda case, factor: _made(1.0, case, factor),
    lambda case, factor: _made(-1.0, case, factor),
)


def _state(horizon: int) -> None:
    @STUDY.claim(
        f"trials-branch-{horizon}-tells-the-end",
        source=SOURCE,
        statement="A short branch, its rate falling to zero, orders changes of an optimizer set-up "
        "as whole trainings do",
        reading=("the shortest", "the middle", "the longest")[horizon] + " horizon of the branches",
        statistic="Spearman's ρ over changes of rule and granularity on all workloads: change of "
        "the held-out loss on branches against that at the end, as shares of the loss",
        criterion=Above(0),
        needs=[BRANCHES],
        planted=WORLDS,
    )
    def tells(config: Config, found: Results) -> Measured:
        short, end = joined(pairs(found, horizon))
        kept, scatter = line(short, end)
        return Measured(
            rank_correlation(short, end),
            details={
                "steps of a branch": config.trials.sizes.horizons[horizon],
                "pairs": len(short),
                "Pearson": float(np.corrcoef(short, end)[0, 1]),
                "share of the effect that is left": kept,
                "scatter as a share of the loss": scatter,
                "same sign": float(np.mean(np.sign(short) == np.sign(end))),
            },
        )


for _horizon in range(3):
    _state(_horizon)


@STUDY.claim(
    "trials-intervals-hold",
    source=SOURCE,
    statement="The effect at the end lies in the 90 % interval that a branch foretells",
    statistic="share of changes for which it does; share kept and scatter are fitted on the other "
    "workloads, on the shortest branches",
    criterion=Within(0.85, 0.95),
    needs=[BRANCHES],
)
def intervals_hold(config: Config, found: Results) -> Measured:
    """Each workload by what the others show."""
    told = pairs(found, 0)
    held: list[bool] = []
    for workload, (short, end) in told.items():
        others = joined({name: both for name, both in told.items() if name != workload})
        kept, scatter = line(*others)
        held += (np.abs(end - kept * short) <= NINETY * scatter).tolist()
    return Measured(share(held), details={"changes": len(held)})
