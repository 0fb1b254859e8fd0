from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from spectrain.cli.main import main
from spectrain.records import open_run
from support.sample_checkpoints import Malicious, save_safetensors, save_torch, weights


@pytest.fixture
def model(tmp_path: Path, generator: torch.Generator) -> Path:
    tensors = {
        f"layers.{i}.mlp.up_proj.weight": torch.randn(40, 24, generator=generator) for i in range(3)
    }
    return save_safetensors(tmp_path / "m.safetensors", tensors)


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_table_a_block(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    assert main(["inspect", str(model), "--no-random"]) == 0
    shown = capsys.readouterr().out
    assert "layers.1.mlp.up_proj.weight" in shown
    assert "stable_rank" in shown
    assert {entry.name for entry in model.parent.iterdir()} == {"m.safetensors"}


@pytest.mark.parametrize("by", ["role", "depth"])
def test_a_table_a_group(by: str, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(model), "--no-random", "--by", by]) == 0
    assert by in capsys.readouterr().out


def test_json_tells_everything(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["inspect", str(model), "--json", "--weightwatcher"])
    found = told(capsys)
    assert status == found["status"] == 0
    assert len(found["blocks"]) == len(found["weightwatcher"]) == 3
    row = found["blocks"][0]
    assert (row["dtype"], row["method"], row["threads"]) == ("float32", "gram/float64", 1)
    assert row["rows"] == 40
    assert found["roles"][0]["blocks"] == 3
    (randomness,) = found["findings"]
    assert all(entry["bulk_fraction"] > 0.9 for entry in randomness["rows"])


def test_rules_set_the_status(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["inspect", str(model), "--no-random", "--json"]
    assert main([*arguments, "--fail-on", "stable_rank<1.5"]) == 0
    capsys.readouterr()
    assert main([*arguments, "--fail-on", "stable_rank<1.5", "stable_rank>1.5"]) == 1
    whole, broken = told(capsys)["rules"]
    assert not whole["broken"]
    assert len(broken["broken"]) == 3
    assert main([*arguments, "--fail-on", "import os"]) == 2


def test_what_lacks_an_answer_sets_the_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = weights() | {"bad.weight": torch.full((3, 3), torch.nan)}
    path = save_safetensors(tmp_path / "m.safetensors", broken)
    assert main(["inspect", str(path), "--no-random"]) == 3
    assert "bad.weight: matrix holds NaN or Inf" in capsys.readouterr().out
    only = save_safetensors(tmp_path / "n.safetensors", {"bias": torch.ones(3)})
    assert main(["inspect", str(only), "--no-random"]) == 3


def test_a_rule_that_cannot_be_judged_sets_the_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save_safetensors(tmp_path / "m.safetensors", {"w.weight": torch.ones(5, 4)})
    assert main(["inspect", str(path), "--no-random", "--fail-on", "condition_number>9"]) == 3
    assert "cannot be judged by condition_number>9" in capsys.readouterr().out


def test_rules_speak_of_randomness_and_of_weightwatchers_columns(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = ["bulk_fraction>2", "bulk_fraction>0.5", "weightwatcher.alpha>1"]
    arguments = ["inspect", str(model), "--json", "--weightwatcher", "--fail-on", *rules]
    assert main(arguments) == 1
    broken = {verdict["rule"]: len(verdict["broken"]) for verdict in told(capsys)["rules"]}
    assert broken == {"bulk_fraction>2": 0, "bulk_fraction>0.5": 3, "weightwatcher.alpha>1": 3}
    assert main(["inspect", str(model), "--no-random", "--fail-on", rules[0]]) == 2
    assert main(["inspect", str(model), "--fail-on", rules[2]]) == 2


def test_a_rule_about_randomness_passes_over_narrow_matrices(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save_safetensors(tmp_path / "m.safetensors", {"w.weight": torch.randn(9, 40)})
    assert main(["inspect", str(path), "--fail-on", "spikes>3"]) == 0


def test_bad_input_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "touched"
    path = save_torch(tmp_path / "m.pt", {"evil": Malicious(target)})
    for arguments in (
        [str(path)],
        [str(tmp_path / "absent")],
        [str(path)] * 4,
        [str(path), "--workers", "0"],
        [str(path), str(path), "--weightwatcher"],
    ):
        assert main(["inspect", *arguments]) == 2
        captured = capsys.readouterr()
        assert captured.err.startswith("spectrain inspect: ")
        assert "Traceback" not in captured.err
    assert not target.exists()


def test_records_csv_and_page(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["run", "rows.csv", "page.html"]
    run, csv, page = (tmp_path / name for name in names)
    arguments = ["--out", str(run), "--csv", str(csv), "--html", str(page)]
    assert main(["inspect", str(model), *arguments]) == 0
    assert open_run(run).spectra().height == 3
    assert pl.read_csv(csv).height == 3
    text = page.read_text(encoding="utf-8")
    assert "layers.1.mlp.up_proj.weight" in text
    assert {entry.name for entry in tmp_path.iterdir()} == {"m.safetensors", *names}
    again = tmp_path / "again.html"
    assert main(["report", str(run), "--out", str(again), "--include", "layers.1.*"]) == 0
    text = again.read_text(encoding="utf-8")
    assert "safetensors, inspected" in text
    assert "layers.<wbr>1" in text
    assert "layers.<wbr>2" not in text


def test_two_are_compared(
    model: Path, tmp_path: Path, generator: torch.Generator, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = {
        f"layers.{i}.mlp.up_proj.weight": torch.randn(40, 24, generator=generator) for i in range(3)
    }
    other = save_safetensors(tmp_path / "step-9.safetensors", changed)
    assert main(["inspect", str(model), str(other), "--json", "--fail-on", "lora_rank>24"]) == 0
    found = told(capsys)
    rows = found["blocks"]
    ranks = {row["block"].removesuffix(".weight"): row["lora_rank"] for row in rows}
    assert found["lora"]["rank_pattern"] == ranks
    assert min(ranks.values()) <= found["lora"]["r"] <= max(ranks.values())
    assert {row["step"] for row in rows} == {9}
    assert all(row["relative_change"] > 1 for row in rows)
    assert main(["inspect", str(model), str(other)]) == 0
    shown = capsys.readouterr().out
    assert "lora_rank" in shown
    assert shown.count("moved most: layers.") == 3
    assert main(["inspect", str(model), str(model)]) == 0
    assert capsys.readouterr().out.count("did not move: layers.") == 3


def test_a_series_has_a_column_of_steps(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "series"
    folder.mkdir()
    for step in (5, 10):
        (folder / f"step-{step}.safetensors").write_bytes(model.read_bytes())
    assert main(["inspect", str(folder), "--no-random", "--json"]) == 0
    assert [row["step"] for row in told(capsys)["blocks"]] == [5] * 3 + [10] * 3
    assert main(["inspect", str(folder), "--no-random"]) == 0
    assert "step-10.safetensors: safetensors, step 10, 3 blocks" in capsys.readouterr().out


def test_hostile_names_reach_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "<script>alert(1)</script>\x1b[31m[red].weight"
    path = save_safetensors(tmp_path / "m.safetensors", {name: torch.eye(20)})
    page = tmp_path / "page.html"
    assert main(["inspect", str(path), "--html", str(page)]) == 0
    assert "\x1b" not in capsys.readouterr().out
    assert "<script>alert(1)" not in page.read_text(encoding="utf-8")


def test_listing_reads_no_numbers(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a number is read")

    monkeypatch.setattr("spectrain.checkpoint.files.SourceFile.tensor", refuse)
    assert main(["inspect", str(model), "--list"]) == 0
    shown = capsys.readouterr().out
    assert "layers.{0…2}.mlp.up_proj.weight" in shown
    assert "3 tensors of 2,880 numbers" in shown
    assert main(["inspect", str(model), "--list", "--json"]) == 0
    assert len(told(capsys)["tensors"]) == 3


def test_what_is_not_chosen_is_told(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["inspect", str(model), "--no-random", "--include", "layers.*"]
    assert main([*arguments, "--exclude", "layers.1.*"]) == 0
    shown = capsys.readouterr().out
    assert "layers.1." not in shown
    assert "not chosen by --include and --exclude, 1 tensor" in shown
    assert main(["inspect", str(model), "--include", "nothing"]) == 2


def test_a_rule_about_what_is_not_measured_names_the_flag(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for rule, flag in (
        ("weightwatcher.alpha>6", "add --weightwatcher"),
        ("lora_rank>3", "pass two checkpoints"),
        ("change_cosine<0", "pass three checkpoints"),
    ):
        assert main(["inspect", str(model), "--fail-on", rule]) == 2
        assert flag in capsys.readouterr().err


def test_weightwatchers_summary_is_the_mean(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(model), "--weightwatcher", "--no-random", "--json"]) == 0
    found = told(capsys)
    alphas = [row["alpha"] for row in found["weightwatcher"]]
    (summary,) = found["weightwatcher_summary"]
    assert summary["alpha"] == pytest.approx(sum(alphas) / 3)
    assert [row["layer_id"] for row in found["weightwatcher"]] == [0, 1, 2]


def test_weightwatchers_other_tails(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["inspect", str(model), "--no-random", "--json"]
    assert main([*arguments, "--weightwatcher", "--fit", "TPL", "--max-evals", "30"]) == 0
    assert all(row["Lambda"] > 0 for row in told(capsys)["weightwatcher"])
    assert main([*arguments, "--weightwatcher", "--fix-fingers", "clip_xmax"]) == 0
    assert all("num_fingers" in row for row in told(capsys)["weightwatcher"])
    assert main([*arguments, "--fit", "TPL"]) == 2
    assert main([*arguments, "--min-evals", "30"]) == 2
