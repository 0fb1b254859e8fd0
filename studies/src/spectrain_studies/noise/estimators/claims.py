"""Claims on estimators: the echo is exact, its references, and intervals that hold the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from spectrain.noise import Estimate
from spectrain_studies.frame import (
    Above,
    AllOf,
    Below,
    Measured,
    OnEvery,
    Results,
    Within,
    near,
    planted,
)
from spectrain_studies.frame.statistics import ratio_of_means, share
from spectrain_studies.noise.config import Config
from spectrain_studies.noise.estimators.experiment import (
    COVERAGE,
    DIRECTIONAL,
    EXACT,
    REFERENCED,
    SCALARS,
)
from spectrain_studies.noise.statistics import column, largest
from spectrain_studies.noise.study import DOCUMENT, ECHO, REFERENCE, STUDY

FEWEST = 400
"""Data sets below which a coverage is not judged."""
NOMINAL = OnEvery("statistic", Within(0.85, 0.95))


@STUDY.claim(
    "echo-exact",
    source=f"corrected form of the {REFERENCE}",
    statement="The triple estimator with the pairs of p left out returns ζ exactly for Z = ζζᵀ",
    statistic="largest error for R = 3 to 64",
    criterion=Below(1e-12),
    needs=(EXACT,),
    planted=planted(EXACT, near(spread=0, error=1e-15), near(spread=0, error=0.1)),
)
def echo_exact(config: Config, found: Results) -> Measured:
    return largest(found, "error")


@STUDY.claim(
    "echo-published",
    source=REFERENCE,
    statement="The published triple estimator returns 1 where the replicas are equal",
    statistic="its value at R = 8",
    criterion=Above(0.99),
    needs=(EXACT,),
    planted=planted(EXACT, near(spread=0, published=1.0), near(spread=0, published=0.87)),
)
def echo_published(config: Config, found: Results) -> Measured:
    value = float(column(found.where(replicas=8), "published").mean())
    return Measured(value, note="It returns √((R − 2)/R): a plateau without any noise")


@STUDY.claim(
    "echo-reference",
    source=f"{DOCUMENT}, {ECHO}",
    statement="Overlaps with the mean of the same replicas are those with the true directions",
    statistic="1 − c_L² against the own mean over that against the truth, R = 8",
    criterion=Within(0.95, 1.05),
    needs=(REFERENCED,),
    planted=planted(REFERENCED, near(own=0.1, truth=0.1), near(own=0.08, truth=0.1)),
)
def echo_reference(config: Config, found: Results) -> Estimate:
    return ratio_of_means(column(found, "own"), column(found, "truth"))


@STUDY.claim(
    "echo-reference-corrected",
    source=f"corrected form of {DOCUMENT}, {ECHO}",
    statement="Against the mean of the others 1 − c² is R/(R − 1) times too high, corrected right",
    statistic="1 − c_L² against the others, and that corrected, over the truth, R = 8",
    criterion=AllOf({"others": Within(1.09, 1.20), "corrected": Within(0.95, 1.05)}),
    needs=(REFERENCED,),
    planted=planted(
        REFERENCED,
        near(others=0.1143, corrected=0.1, truth=0.1),
        near(others=0.1143, corrected=0.12, truth=0.1),
    ),
)
def echo_reference_corrected(config: Config, found: Results) -> dict[str, Estimate]:
    truth = column(found, "truth")
    return {name: ratio_of_means(column(found, name), truth) for name in ("others", "corrected")}


def _coverage(found: Results, names: Sequence[str]) -> dict[str, Measured]:
    """The share of intervals that hold the truth, with its own interval."""
    count = int(column(found, "datasets").sum())
    few = f"Fewer than {FEWEST} data sets" if count < FEWEST else ""

    def of(name: str) -> Measured:
        held = int(column(found, f"held_{name}").sum())
        return Measured(share(np.arange(count) < held), unsettled=few)

    return {name: of(name) for name in names}


def _covering(rate: float, names: Sequence[str]) -> Any:
    held: dict[str, Any] = {
        f"held_{name}": lambda case: round(rate * case.datasets) for name in names
    }
    return near(datasets=lambda case: case.datasets, **held)


def _directional(config: Config) -> tuple[str, ...]:
    return (*DIRECTIONAL, *(f"echo_{i + 1}" for i in range(config.coverage.directions)))


@STUDY.claim(
    "coverage-energies",
    source="this project",
    statement="90 % intervals of signal, noise and noise scale cover the truth as nominal",
    statistic=f"share of intervals that hold the truth, R = 8, at least {FEWEST} data sets",
    criterion=NOMINAL,
    needs=(COVERAGE,),
    planted=planted(COVERAGE, _covering(0.9, SCALARS), _covering(0.7, SCALARS)),
)
def coverage_energies(config: Config, found: Results) -> dict[str, Measured]:
    return _coverage(found, SCALARS)


@STUDY.claim(
    "coverage-directions",
    source="this project",
    statement="So do those of echoes and plateaus",
    statistic=f"share of intervals that hold the truth, R = 8, at least {FEWEST} data sets",
    criterion=NOMINAL,
    needs=(COVERAGE,),
    planted=planted(
        COVERAGE, _covering(0.9, _directional(Config())), _covering(0.7, _directional(Config()))
    ),
)
def coverage_directions(config: Config, found: Results) -> dict[str, Measured]:
    return _coverage(found, _directional(config))
