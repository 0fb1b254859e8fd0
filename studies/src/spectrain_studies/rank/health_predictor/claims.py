"""Whether early gradients tell more than early losses of how training will go on."""

from __future__ import annotations

import numpy as np

from spectrain_studies.frame import Above, AllOf, Measured, Results
from spectrain_studies.rank.config import RankConfig
from spectrain_studies.rank.health_predictor.experiment import PAIR, PAIRS
from spectrain_studies.rank.health_predictor.features import Runs, collect
from spectrain_studies.rank.health_predictor.prediction import Foretold, by_kind, foretell, gained
from spectrain_studies.rank.study import STUDY

KINDS = 5
"""Fewest kinds of set-up of which anything is concluded."""
EDGES = 0.1
"""Share of best step sizes at an end of their sweep beyond which nothing is."""
SKILL = (
    "skill (error without − error with spectra)/error of a constant, of squared errors on kinds of "
    "set-up that were never seen, from the first tenth of the run: early losses and the gradients' "
    "effective, nuclear and stable rank with their changes, against early losses alone; interval "
    "by a bootstrap over kinds and set-ups"
)
CRITERION = AllOf({"over losses alone": Above(0), "over a constant": Above(0)})
_SEED = 0


def _claim(name: str, outcome: str, *, source: str, statement: str, what: str) -> None:
    @STUDY.claim(
        name,
        source=source,
        statement=statement,
        statistic=f"{what}: {SKILL}",
        criterion=CRITERION,
        needs=(PAIRS,),
    )
    def foretells(config: RankConfig, results: Results) -> dict[str, Measured]:
        runs = collect(results)
        kinds = np.unique(runs.kind)
        if len(kinds) < 2:
            nothing = Measured(float("nan"), note="fewer than 2 kinds of set-up finished")
            return dict.fromkeys(CRITERION.parts, nothing)
        found = foretell(runs, outcome)
        generator = np.random.default_rng(_SEED)
        estimates = gained(found, draws=config.health.draws, generator=generator)
        details = _told(found, runs, outcome, results)
        why = _unsettled(len(kinds), results)
        return {
            part: Measured(one, seeds=len(kinds), unsettled=why, details=details[part])
            for part, one in estimates.items()
        }


def _told(
    found: Foretold, runs: Runs, outcome: str, results: Results
) -> dict[str, dict[str, float | str]]:
    errors = {name: float(getattr(found, name).mean()) for name in ("constant", "losses", "both")}
    alone = {
        measure: float((found.losses - foretell(runs, outcome, spectra=(measure,)).both).mean())
        for measure in runs.spectra
    }
    best = max(alone, key=lambda name: alone[name])
    first: dict[str, float | str] = {
        "set-ups": float(len(np.unique(runs.setup))),
        "runs": float(len(runs.kind)),
        "skill of early losses alone": 1 - errors["losses"] / errors["constant"],
        "best single measure": best,
        "its gain": alone[best] / errors["constant"],
        **{f"gain on {kind}": value for kind, value in by_kind(found).items()},
    }
    second: dict[str, float | str] = {}
    if outcome == "muon ahead":
        ahead = runs.outcome[outcome] == 1
        leads = runs.losses["fall, difference"] > 0
        second = {
            "Muon ahead, share": float(ahead.mean()),
            "right: who leads after a tenth": float((leads == ahead).mean()),
            "right: early losses": float(((found.by_losses > 0.5) == ahead).mean()),
            "right: with spectra": float(((found.by_both > 0.5) == ahead).mean()),
        }
    second["best step sizes at an end of the sweep"] = _edges(results)
    return {"over losses alone": first, "over a constant": second}


def _edges(results: Results) -> float:
    return float(np.mean([bool(r[f"{arm}_edge"]) for r in results for arm in PAIR]))


def _unsettled(kinds: int, results: Results) -> str:
    if kinds < KINDS:
        return f"only {kinds} kinds of set-up, {KINDS} are needed"
    edges = _edges(results)
    return f"{edges:.0%} of the best step sizes end their sweep" if edges > EDGES else ""


_CONTRIBUTION = "Potential theoretical contributions"
_claim(
    "health-foretells-winner",
    "muon ahead",
    source=_CONTRIBUTION,
    statement="Early spectra of the gradients foretell which of AdamW and Muon will be ahead.",
    what="whether Muon's held-out loss at the end is the lower",
)
_claim(
    "health-foretells-gap",
    "gap",
    source=_CONTRIBUTION,
    statement="Early spectra of the gradients foretell how far Muon will be ahead of AdamW.",
    what="ln of AdamW's held-out loss at the end over Muon's",
)
for _arm, _name in zip(PAIR, ("AdamW", "Muon"), strict=True):
    _claim(
        f"health-foretells-gain-left-{_arm}",
        f"{_arm} left",
        source=f"{_CONTRIBUTION}, “gradient health”",
        statement=f"Early spectra of the gradients foretell how much {_name} has still to gain.",
        what=f"share of the fall of {_name}'s held-out loss that comes after the first tenth",
    )
