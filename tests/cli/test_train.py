import json
from re import fullmatch

import pytest

from spectrain.cli.main import main
from spectrain.records import RunWriter, open_run

SIZES = {"layers": 1, "width": 16, "heads": 2, "context": 8, "batch-size": 4, "steps": 6}


@pytest.fixture
def options(tmp_path):
    text = tmp_path / "song.txt"
    text.write_text("How many roads must a man walk down? " * 50, encoding="utf-8")
    settings = SIZES | {"text": text, "out": tmp_path / "run"}
    return [part for name, value in settings.items() for part in (f"--{name}", str(value))]


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_json_is_all_that_is_printed(optimizer, options, tmp_path, capsys):
    assert main(["train", *options, "--optimizer", optimizer, "--seed", "3", "--json"]) == 0
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    losses = open_run(tmp_path / "run").metrics(source="training", measure="loss")["value"]
    assert result["run"] == str(tmp_path / "run")
    assert (result["optimizer"], result["steps"], result["seed"]) == (optimizer, 6, 3)
    assert result["loss"] == losses[-1]
    assert "6/6" in captured.err


def test_the_result_is_told_in_a_line(options, tmp_path, capsys):
    assert main(["train", *options]) == 0
    assert fullmatch(
        rf"{tmp_path}/run: adamw, 6 steps, loss \d\.\d{{4}}, held-out loss \d\.\d{{4}}\n",
        capsys.readouterr().out,
    )


def test_a_finished_run_resumes_to_its_result(options, tmp_path, capsys):
    assert main(["train", *options, "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert main(["train", "--resume", str(tmp_path / "run"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == first


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--text", "/nowhere/text"], "there is no text '/nowhere/text'; pass a file"),
        (["--context", "400"], "a window needs 401"),
        (["--preset", "gpt5"], "there is no preset 'gpt5'; choose among nanogpt, modern"),
        (["--steps", "0"], "steps is 0; pass a positive number"),
        (["--resume", "/nowhere"], "give --resume without other settings"),
    ],
)
def test_bad_input_is_one_line_and_status_2(changes, message, options, capsys):
    assert main(["train", *options, *changes]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("spectrain train: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_an_empty_text_is_named(options, tmp_path, capsys):
    (tmp_path / "song.txt").write_text("", encoding="utf-8")
    assert main(["train", *options]) == 2
    assert "the text 'song.txt' is empty" in capsys.readouterr().err


def test_an_existing_run_is_kept(options, tmp_path, capsys):
    RunWriter(tmp_path / "run", manifest={}).close({})
    assert main(["train", *options]) == 2
    assert f"the folder '{tmp_path / 'run'}' is not empty" in capsys.readouterr().err


def test_what_is_no_run_does_not_resume(tmp_path, capsys):
    assert main(["train", "--resume", str(tmp_path)]) == 2
    assert "is not a run folder" in capsys.readouterr().err
    RunWriter(tmp_path / "run", manifest={}).close({})
    assert main(["train", "--resume", str(tmp_path / "run")]) == 2
    assert "is not one of `spectrain train`" in capsys.readouterr().err


def test_ctrl_c_ends_with_status_130_and_tells_how_to_go_on(options, tmp_path, monkeypatch, capsys):
    def interrupted(config):
        raise KeyboardInterrupt

    monkeypatch.setattr("spectrain.training.loop.train", interrupted)
    assert main(["train", *options]) == 130
    assert capsys.readouterr().err == (
        f"to go on: spectrain train --resume {tmp_path / 'run'}\nspectrain train: interrupted\n"
    )
