"""Foretelling unseen kinds: planted effects are found, and what is not there is not."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from spectrain_studies.frame import Result, Results
from spectrain_studies.rank.health_predictor.claims import CRITERION
from spectrain_studies.rank.health_predictor.experiment import MEASURED, PAIR
from spectrain_studies.rank.health_predictor.features import Runs, collect
from spectrain_studies.rank.health_predictor.prediction import (
    foretell,
    gained,
    out_of_kind,
)

KINDS, SETUPS, SEEDS = 8, 6, 2


def world(seed: int, *, by_losses: float = 0.0, by_spectra: float = 0.0) -> Runs:
    """A gap that the losses, the spectra and luck make, with levels of every kind besides."""
    generator = np.random.default_rng(seed)
    count = KINDS * SETUPS * SEEDS
    kind = np.repeat([f"k{number}" for number in range(KINDS)], SETUPS * SEEDS)
    level = {name: generator.standard_normal(5) for name in np.unique(kind)}
    columns = generator.standard_normal((5, count)) + np.array([level[k] for k in kind]).T
    luck = generator.standard_normal(count)
    gap = by_losses * columns[0] + by_spectra * columns[2] + luck
    return Runs(
        kind,
        np.repeat(np.arange(KINDS * SETUPS), SEEDS),
        {"fall": columns[0], "slope": columns[1]},
        {"rank": columns[2], "change": columns[3], "other": columns[4]},
        {"gap": gap, "muon ahead": np.where(gap > 0, 1.0, 0.0)},
    )


def verdict(runs: Runs, outcome: str) -> str:
    found = gained(foretell(runs, outcome), draws=200, generator=np.random.default_rng(0))
    return str(CRITERION.judge(found).verdict)


@pytest.mark.parametrize("outcome", ["gap", "muon ahead"])
def test_spectra_that_tell_more_than_losses_are_found(outcome: str) -> None:
    held = [verdict(world(s, by_losses=0.5, by_spectra=2.0), outcome) for s in range(5)]
    assert held.count("holds") >= 4


@pytest.mark.parametrize("strength", [0.0, 1.0])
@pytest.mark.parametrize("outcome", ["gap", "muon ahead"])
def test_spectra_that_tell_nothing_more_hold_no_claim(outcome: str, strength: float) -> None:
    """Of 20 worlds at most 2, as 5 % give in 92 of 100 tries."""
    held = [verdict(world(s, by_losses=strength), outcome) for s in range(20)]
    assert held.count("holds") <= 2


def test_a_kind_is_foretold_without_itself() -> None:
    """What is true of one kind alone is not foretold of it."""
    runs = world(0, by_losses=1.0)
    x = np.column_stack([*runs.losses.values()])
    y = runs.outcome["gap"].copy()
    first = out_of_kind(x, y, runs.kind)
    mine = runs.kind == "k0"
    y[mine] += 100.0
    assert np.array_equal(out_of_kind(x, y, runs.kind)[mine], first[mine])
    assert not np.allclose(out_of_kind(x, y, runs.kind)[~mine], first[~mine])


def test_the_skills_are_those_of_mean_squared_errors() -> None:
    runs = world(1, by_losses=1.0, by_spectra=1.0)
    found = foretell(runs, "gap")
    told = gained(found, draws=20, generator=np.random.default_rng(0))
    y = runs.outcome["gap"]
    error = {
        name: ((y - guess) ** 2).mean()
        for name, guess in (("losses", found.by_losses), ("both", found.by_both))
    }
    centre = np.array([y[runs.kind != kind].mean() for kind in runs.kind])
    constant = ((y - centre) ** 2).mean()
    assert told["over losses alone"].value == pytest.approx(
        (error["losses"] - error["both"]) / constant
    )
    assert told["over a constant"].value == pytest.approx(1 - error["both"] / constant)
    assert told["over a constant"].replicas == KINDS


def result(kind: str, *, muon: float = 1.0) -> Result:
    """AdamW falls from 4 to 2 to 1, and in its early steps to half; ranks double."""
    train = 4.0 * 0.5 ** (np.arange(6)[:, None] / 5) * np.ones(2)
    outcome: dict[str, object] = {}
    for arm, end in zip(PAIR, (1.0, muon), strict=True):
        outcome[f"{arm}_train"] = train
        outcome[f"{arm}_held_out"] = np.array([[4.0, 4.0], [2.0, 2.0], [end, end]])
        outcome[f"{arm}_edge"] = False
        for measure in MEASURED:
            outcome[f"{arm}_{measure}"] = np.array([[0.1, 0.1], [0.2, 0.2]])
    return Result(SimpleNamespace(kind=kind), outcome)


def test_features_and_outcomes_are_as_defined() -> None:
    runs = collect(Results((result("a", muon=0.5), result("b", muon=np.inf), result("b"))))
    assert runs.kind.tolist() == ["a", "a", "b", "b"]  # the one that diverged is out
    assert runs.setup.tolist() == [0, 0, 2, 2]
    c, b = ((2.0 ** -(k / 5) + 2.0 ** -((k + 1) / 5)) / 2 for k in (4, 2))
    assert runs.losses["fall, mean"] == pytest.approx(np.log(c))
    assert runs.losses["slope, mean"] == pytest.approx(np.log(c / b))
    assert runs.losses["fall, difference"] == pytest.approx(0.0)
    assert runs.spectra["its change: effective_rank, mean"] == pytest.approx(np.log(2))
    assert runs.outcome["gap"] == pytest.approx([np.log(2)] * 2 + [0.0] * 2)
    assert runs.outcome["muon ahead"].tolist() == [1.0, 1.0, 0.0, 0.0]
    assert runs.outcome["adamw left"] == pytest.approx(1 / 3)
    assert runs.outcome["muon left"][:2] == pytest.approx(1.5 / 3.5)
