import json

import pytest

import spectrain_studies
from spectrain.cli.main import main


@pytest.fixture
def toy(monkeypatch):
    from support.toy_study import toy_study

    load = {"STUDIES": ("toy",), "load_study": lambda name: toy_study(broken=name == "broken")}
    for name, value in load.items():
        monkeypatch.setattr(spectrain_studies, name, value, raising=False)


@pytest.mark.usefixtures("toy")
def test_run_prints_the_verdicts(tmp_path, capsys):
    assert main(["study", "run", "toy", "--out", str(tmp_path), "--workers", "1"]) == 0
    printed = capsys.readouterr().out
    assert "1 holds, 1 fails; 2 figure files" in printed
    assert "toy/above-zero" in printed


@pytest.mark.usefixtures("toy")
def test_run_as_json_with_another_setting(tmp_path, capsys):
    arguments = ["--out", str(tmp_path), "--workers", "1", "--set", "seeds=5", "--json"]
    assert main(["study", "run", "toy", "--claim", "above-zero", *arguments]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["study"], told["scale"]) == ("toy", "quick")
    assert told["settings"]["seeds"] == 5
    [claim] = told["claims"]
    assert claim["verdict"] == "holds"
    assert {"id", "source", "statement", "statistic", "criterion", "measured"} < claim.keys()


@pytest.mark.usefixtures("toy")
def test_a_run_goes_into_a_ledger(tmp_path, capsys):
    ledger = tmp_path / "toy.json"
    arguments = ["--out", str(tmp_path), "--workers", "1", "--ledger", str(ledger)]
    assert main(["study", "run", "toy", *arguments]) == 0
    assert len(json.loads(ledger.read_text())["claims"]) == 2
    again = ["--claim", "above-zero", "--set", "seeds=5", *arguments]
    assert main(["study", "run", "toy", *again]) == 0
    told = [row.get("settings") for row in json.loads(ledger.read_text())["claims"]]
    assert told == [{"seeds": 5}, None]
    ledger.write_text(json.dumps(json.loads(ledger.read_text()) | {"scale": "paper"}))
    assert main(["study", "run", "toy", *again]) == 2
    assert "holds toy at scale paper" in capsys.readouterr().err


@pytest.mark.usefixtures("toy")
def test_an_incomplete_answer_has_another_status(tmp_path, capsys):
    assert main(["study", "run", "broken", "--out", str(tmp_path), "--workers", "1"]) == 1
    assert "no ink" in capsys.readouterr().out


@pytest.mark.usefixtures("toy")
def test_list(capsys):
    assert main(["study", "list"]) == 0
    assert "toy/above-zero" in capsys.readouterr().out
    assert main(["study", "list", "toy", "--json"]) == 0
    assert next(row["id"] for row in json.loads(capsys.readouterr().out)) == "toy/above-zero"


@pytest.mark.usefixtures("toy")
def test_a_study_must_be_named(capsys):
    assert main(["study", "run"]) == 2
    assert "no study is named" in capsys.readouterr().err


def test_an_unknown_study_is_told(capsys):
    assert main(["study", "run", "astrology"]) == 2
    assert "no study 'astrology'" in capsys.readouterr().err
