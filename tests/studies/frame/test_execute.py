import json

import pytest

from spectrain.core import InputError
from spectrain_studies.frame import Verdict, execute
from support.toy_study import Case, Config, Sizes, toy_study


def test_a_study_leaves_claims_figures_and_result(tmp_path):
    result = execute(toy_study(), "quick", tmp_path)
    assert {claim.id: judged.verdict for claim, judged in result.claims} == {
        "toy/above-zero": Verdict.HOLDS,
        "toy/below-zero": Verdict.FAILS,
    }
    assert result.figures == ["figures/means.png", "figures/means.pdf"]
    assert all((tmp_path / name).stat().st_size > 500 for name in result.figures)
    stored = json.loads((tmp_path / "result.json").read_text())
    assert stored["claims"] == result.to_dict()["claims"]
    assert stored["claims"][0]["seeds"] == 4
    assert stored["settings"] == {"seeds": 4, "rate": 1.0, "sizes": {"size": 10}}


def test_a_second_run_computes_nothing_and_a_changed_setting_only_what_it_changes(tmp_path):
    execute(toy_study(), "quick", tmp_path)
    files = set((tmp_path / "outcomes" / "means").iterdir())
    stamps = {file: file.stat().st_mtime_ns for file in files}
    execute(toy_study(), "quick", tmp_path, config=Config(seeds=6))
    now = set((tmp_path / "outcomes" / "means").iterdir())
    assert files < now
    assert len(now) == 6
    assert {file: file.stat().st_mtime_ns for file in files} == stamps
    execute(toy_study(), "quick", tmp_path, config=Config(sizes=Sizes(11)), fresh=True)
    assert len(list((tmp_path / "outcomes" / "means").iterdir())) == 4


def test_one_claim_runs_alone(tmp_path):
    result = execute(toy_study(broken=True), "quick", tmp_path, claims=["below-zero"])
    assert [claim.id for claim, _ in result.claims] == ["toy/below-zero"]
    assert result.figures == []
    assert [path.name for path in (tmp_path / "outcomes").iterdir()] == ["means"]
    assert not (tmp_path / "result.json").exists()  # a part does not stand for the whole


def test_what_breaks_is_told_and_costs_nothing_else(tmp_path):
    result = execute(toy_study(broken=True), "quick", tmp_path)
    judged = {claim.id: judgement for claim, judgement in result.claims}
    assert judged["toy/above-zero"].verdict is Verdict.HOLDS
    assert judged["toy/broken"].verdict is Verdict.UNDECIDED
    assert "seed 0 cannot be" in judged["toy/broken"].note
    assert "4 results where one is expected" in judged["toy/misjudged"].note
    assert len(result.problems) == 2
    assert str(Case(0, fail=True)) in result.problems[0]
    assert "figure undrawn: ValueError: no ink" in result.problems[1]


def test_bad_names(tmp_path):
    with pytest.raises(InputError, match="no scale 'huge'"):
        execute(toy_study(), "huge", tmp_path)
    with pytest.raises(InputError, match="no claim 'toy/nothing'"):
        execute(toy_study(), "quick", tmp_path, claims=["nothing"])
