"""The contract of every claim: chance seldom turns its verdict, and planted worlds decide."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from spectrain_studies import STUDIES, load_study
from spectrain_studies.frame import Claim, Criterion
from spectrain_studies.frame.chance import chance, members_of

LEDGER = Path(__file__).parents[2] / "docs" / "ledger"
CLAIMS = [claim for name in STUDIES for claim in load_study(name).claims.values()]
STATED = [claim for claim in CLAIMS if isinstance(claim.criterion, Criterion)]
PLANTED = [claim for claim in CLAIMS if claim.planted is not None]
ROWS = {
    row["id"]: row
    for name in STUDIES
    for row in json.loads((LEDGER / f"{name}.json").read_text("utf-8"))["claims"]
}


def test_no_two_experiments_of_a_study_share_a_folder() -> None:
    for name in STUDIES:
        needs = {id(n): n.name for c in load_study(name).claims.values() for n in c.needs}
        assert len(set(needs.values())) == len(needs)


@pytest.mark.parametrize("claim", STATED, ids=lambda claim: claim.id)
def test_chance_turns_no_verdict_more_often_than_in_a_tenth(claim: Claim) -> None:
    row = ROWS.get(claim.id, {})
    seeds = max(row.get("seeds") or 5, 3)
    assert isinstance(claim.criterion, Criterion)
    assert chance(claim.criterion, seeds=seeds, members=members_of(row)).sound


@pytest.mark.parametrize("claim", PLANTED, ids=lambda claim: claim.id)
def test_planted_worlds_decide(claim: Claim) -> None:
    assert claim.planted is not None
    config = load_study(claim.id.split("/")[0]).config("quick")
    for world, verdict in ((claim.planted.true, "holds"), (claim.planted.false, "fails")):
        generator = torch.Generator().manual_seed(0)
        assert claim.judged(config, *world(config, generator)).verdict == verdict
