import json
from pathlib import Path

import pytest

from spectrain.core import InputError
from spectrain_studies import STUDIES, load_study
from spectrain_studies.frame import Verdict

LEDGER = Path(__file__).parents[2] / "docs" / "ledger"


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_states_claims_that_can_be_tested(name):
    study = load_study(name)
    assert study.name == name
    assert {"quick", "paper"} <= set(study.scales)
    assert len(study.claims) > 5
    for claim in study.claims.values():
        assert claim.id.startswith(f"{name}/")
        assert all((claim.source, claim.statement, claim.statistic, claim.criterion))


@pytest.mark.parametrize("name", STUDIES)
def test_experiments_have_names_of_their_own_and_cases_at_every_scale(name):
    study = load_study(name)
    needs = [each.needs for each in study.claims.values()]
    needs += [each.needs for each in study.figures.values()]
    experiments = {id(need): need for each in needs for need in each}.values()
    assert len({need.name for need in experiments}) == len(experiments)
    for config in study.scales.values():
        assert all(need.cases(config) for need in experiments)


@pytest.mark.parametrize("file", sorted(LEDGER.glob("*.json")), ids=lambda file: file.stem)
def test_the_ledger_holds_claims_as_they_are_stated_now(file):
    stored = json.loads(file.read_text("utf-8"))
    assert stored["study"] == file.stem
    assert stored["scale"] == "paper"
    study = load_study(file.stem)
    told = {row["id"]: row for row in stored["claims"]}
    assert set(told) <= set(study.claims)
    for name, row in told.items():
        assert row["criterion"] == str(study.claims[name].criterion)
        assert row["verdict"] in tuple(Verdict)


def test_an_unknown_study_is_told():
    with pytest.raises(InputError, match="no study 'astrology'"):
        load_study("astrology")
