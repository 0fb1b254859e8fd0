"""``spectrain demo``: two runs, three pages, and nothing removed that is no run."""

import json

from spectrain.cli.main import main


def call(capsys, *arguments):
    status = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_the_demo_leaves_two_runs_and_three_pages(tmp_path, capsys):
    out = tmp_path / "demo"
    status, printed, _ = call(capsys, "demo", "--out", out, "--steps", 2, "--json")
    told = json.loads(printed)
    assert status == 0
    assert told["pages"] == [
        str(out / "adamw" / "report.html"),
        str(out / "muon" / "report.html"),
        str(out / "compare.html"),
    ]
    assert [run["optimizer"] for run in told["runs"]] == ["adamw", "muon"]
    for run in told["runs"]:
        answered = {f["name"] for f in run["findings"] if f["status"] != "not enough data"}
        assert answered == {"audit", "randomness"}

    status, _, error = call(capsys, "demo", "--out", out, "--steps", 2)
    assert status == 2
    assert "holds an earlier demo" in error
    (out / "muon" / "manifest.json").unlink()
    status, _, error = call(capsys, "demo", "--out", out, "--steps", 2, "--fresh")
    assert status == 2  # what is no run is not removed
    assert (out / "muon" / "report.html").exists()
