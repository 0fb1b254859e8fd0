"""Rows of a later run in a ledger tell the settings that they were run at."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from spectrain_studies.frame import execute
from spectrain_studies.frame.ledger import section
from spectrain_studies.frame.rerun import entered
from support.toy_study import Sizes, toy_study


def run_of(study, out, *, claims=(), **settings):
    config = replace(study.config("quick"), **settings)
    result = execute(study, "quick", out, claims=claims, config=config)
    return json.loads(json.dumps(result.to_dict()))


@pytest.fixture
def whole(tmp_path):
    return run_of(toy_study(), tmp_path)


def test_a_row_takes_the_place_of_the_earlier_one(whole, tmp_path):
    run = run_of(toy_study(), tmp_path, claims=["below-zero"])
    run["claims"][0]["measured"] = 7.0
    ledger = entered(whole, run, toy_study())
    assert [row["id"] for row in ledger["claims"]] == ["toy/above-zero", "toy/below-zero"]
    assert ledger["claims"][1]["measured"] == 7.0
    assert ledger["claims"][0] == whole["claims"][0]
    assert not any("settings" in row for row in ledger["claims"])


def test_a_run_at_other_settings_says_so(whole, tmp_path):
    run = run_of(toy_study(), tmp_path, claims=["above-zero"], seeds=9, rate=2.0)
    ledger = entered(whole, run, toy_study())
    assert ledger["claims"][0]["settings"] == {"seeds": 9}  # the rate is no part of its cases
    assert "settings" not in ledger["claims"][1]
    assert ledger["settings"] == whole["settings"]
    assert "Run at seeds = 9" in section(ledger)


def test_rows_that_are_kept_say_what_has_changed_since(whole, tmp_path):
    study = toy_study()
    study.scales["quick"] = replace(study.scales["quick"], sizes=Sizes(20))
    ledger = entered(whole, run_of(study, tmp_path, claims=["above-zero"]), study)
    assert [row.get("settings") for row in ledger["claims"]] == [None, {"sizes.size": 10}]
    assert ledger["settings"]["sizes"]["size"] == 20
    again = entered(ledger, run_of(study, tmp_path, claims=["above-zero"]), study)
    assert again["claims"][1]["settings"] == {"sizes.size": 10}
    last = entered(again, run_of(study, tmp_path, claims=["below-zero"]), study)
    assert not any("settings" in row for row in last["claims"])


def test_claims_that_are_no_more_are_left_out(whole, tmp_path):
    whole["claims"].append(whole["claims"][0] | {"id": "toy/gone"})
    ledger = entered(whole, run_of(toy_study(), tmp_path, claims=["above-zero"]), toy_study())
    assert len(ledger["claims"]) == 2


def test_a_setting_that_is_no_more_is_passed_over(whole, tmp_path):
    whole["settings"]["gone"] = 3
    ledger = entered(whole, run_of(toy_study(), tmp_path, claims=["above-zero"]), toy_study())
    assert not any("settings" in row for row in ledger["claims"])
