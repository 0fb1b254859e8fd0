"""Every change of every workload on short branches of several lengths, and in whole trainings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import groupby, zip_longest
from math import nan

import numpy as np

from spectrain.core import Role
from spectrain.network import find_blocks
from spectrain.trials import Change, SetUp, candidates, rate, to_adamw, usual_setup
from spectrain.trials.arm import Window, run_arm
from spectrain.trials.snapshot import Snapshot
from spectrain.trials.trunk import snapshots_of
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.config_trials import Branches
from spectrain_studies.descent.trials.training import source_of, trained
from spectrain_studies.descent.trials.workloads import RATES, WORKLOADS
from spectrain_studies.frame import Experiment, Outcome

BASE = "base"
RATE = "times the rate"
"""What the names of changes of a rate end in."""


@dataclass(frozen=True)
class BranchCase:
    """One change of one workload; of the base itself where it is called so.

    Attributes:
        workload: its name.
        change: its name.
        sizes: of branches and trainings.
    """

    workload: str
    change: str
    sizes: Branches


@cache
def base_of(workload: str) -> SetUp:
    """The usual routing, at the rate that is known to suit it."""
    model = WORKLOADS[workload].make(0)
    return usual_setup(model, find_blocks(model)).faster(RATES[workload])


@cache
def changes_of(workload: str) -> dict[str, Change]:
    """What trials try, each group of Muon's matrices to AdamW, and rates, by name."""
    return {change.name: change for change in _changes(workload)}


def _changes(workload: str) -> Iterator[Change]:
    model, base = WORKLOADS[workload].make(0), base_of(workload)
    yield from candidates(base, find_blocks(model, heads=True))
    muon = [n for n, a in base.assignments.items() if a.rule == "muon"]
    roles: dict[str, Role] = {}
    for block in find_blocks(model).blocks:
        roles.setdefault(block.parameter, block.role)
    for role, names in groupby(sorted(muon, key=lambda n: roles[n]), key=lambda n: roles[n]):
        chosen = list(names)
        if len(chosen) < len(muon):
            yield to_adamw(base, *chosen, name=f"{role} to AdamW")
    if muon:
        yield rate(base, 0.5, *muon, name=f"Muon at half {RATE}")


def run_branch(case: BranchCase) -> Outcome:
    """Held-out losses: horizons × windows on branches, and seeds at the end of trainings."""
    workload, base, sizes = WORKLOADS[case.workload], base_of(case.workload), case.sizes
    setup = base if case.change == BASE else changes_of(case.workload)[case.change](base)
    source = source_of(workload, 0, sizes.held_out)
    source.held_out = workload.held_out(sizes.held_out)
    at = (max(sizes.steps // 50, 1), max(sizes.steps // 25, 2))
    snapshots = snapshots_of(source, base, at)
    last = sizes.horizons[-1]

    def branch(horizon: int, snapshot: Snapshot) -> float:
        if horizon == last and snapshot is not snapshots[-1]:
            return nan  # the longest is run once
        return run_arm(source, setup, Window(snapshot, snapshot.step, horizon)).loss

    short = [[branch(horizon, one) for one in snapshots] for horizon in sizes.horizons]
    full = [
        trained(workload, setup, steps=sizes.steps, seed=1 + seed, tested=sizes.tested)
        for seed in range(sizes.seeds)
    ]
    return {"short": np.array(short), "full": np.array(full)}


def _cases(config: Config) -> list[BranchCase]:
    sizes = config.trials.sizes
    chosen = list(WORKLOADS)[: sizes.workloads]
    kept = config.trials.changes
    told = zip_longest(*([BASE, *list(changes_of(one))[:kept]] for one in chosen))
    return [
        BranchCase(workload, change, sizes)
        for changes in told
        for workload, change in zip(chosen, changes, strict=True)
        if change is not None
    ]


BRANCHES: Experiment[Config] = Experiment("trial_branches", run_branch, _cases)
