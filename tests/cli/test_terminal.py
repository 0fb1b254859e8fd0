"""What terminals ask for: narrow ones, closed pipes, poor encodings, full disks, Ctrl-C."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from spectrain.answers import Finding, Label, Sign, Status, events
from spectrain.cli import explain
from spectrain.cli.fitted_table import Row, fitted, shortened
from spectrain.cli.main import main
from spectrain.cli.terminal import show_fitted
from spectrain.core import Role
from spectrain.records import Run, open_run
from support.looked_at import compare
from support.synthetic_run import Recipe, make_block, write_run

SNAPSHOTS = Path(__file__).parent / "snapshots"
WIDTHS = (60, 80, 120)
ANSWERS: list[Finding[Any, Any]] = [
    Finding(
        name=name,
        question=f"What of the {name}?",
        status=Status.ANSWERED,
        sign=sign,
        sentence="Of 26 blocks, 20 have a bulk; in their median 76% of the eigenvalues belong to "
        "it (1 random, 8 random with spikes).",
        action="Ask the loss what the random part is worth." if sign is not Sign.GOOD else "",
        statement="",
        confidence="",
        label=Label.TEST,
    )
    for name, sign in (("rank", Sign.GOOD), ("randomness", Sign.WATCH), ("noise", Sign.ACT))
]
COLUMNS = ("role", "method", "operator_norm", "stable_rank", "nuclear_rank", "bulk_fraction")
ROWS = [
    Row(
        f"model.language_model.layers.{depth}.self_attn.q_proj.weight",
        ("attention.q", "gram/float64", "1.234 ± 0.01", "12.3", "34.56", "0.789"),
        "" if depth else "16 singular values are too few for a fit of the bulk",
    )
    for depth in (0, 11)
]


@pytest.mark.parametrize("width", WIDTHS)
def test_answers_and_tables_fit(width: int, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    explain.show(ANSWERS)
    print()
    show_fitted("block", COLUMNS, ROWS, numbers=COLUMNS[2:], last=("method", "role"))
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= width
    compare(SNAPSHOTS / f"answers-{width}.txt", printed)


def test_in_full_an_answer_still_says_what_to_do(capsys: Any) -> None:
    """The action stands before the advice, and not twice where the advice has it."""
    finding = replace(ANSWERS[1], advice=("Wait.", ANSWERS[1].action))
    explain.show([ANSWERS[1], finding], verbose=True)
    arrows = [line.strip() for line in capsys.readouterr().out.splitlines() if "→" in line]
    action = f"→ {ANSWERS[1].action}"
    assert arrows == [action, "→ Wait.", action]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("command", ["explain", "advise", "compare", "inspect"])
def test_every_command_keeps_to_the_width(
    command: str, width: int, run: Run, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    paths = [str(run.path)] * (1 + (command == "compare"))
    if command == "inspect":
        paths = [str(run.path.parent / "m.safetensors"), "--no-random"]
    assert main([command, *paths]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 2
    assert [line for line in lines if len(line) > width] == []


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    from safetensors.torch import save_file
    from torch import eye

    folder = tmp_path_factory.mktemp("terminal")
    save_file({"layers.0.attention.query.weight": eye(20)}, folder / "m.safetensors")
    return write_run(folder / "run", Recipe(steps=range(3), spectra=False))


def test_names_keep_their_ends_and_stay_apart() -> None:
    names = [f"{side}.layers.{n}.mlp.up.weight" for side in ("encoder", "decoder") for n in (0, 11)]
    for room in (19, 24):
        short = [shortened(name, room) for name in names]
        assert len(set(short)) == 4
        assert max(map(len, short)) <= room
    assert len(shortened("x" * 50, 9)) == 9
    assert len(shortened("a.very_long_last_component_of_a_name", 12)) == 12


def test_columns_give_way_to_names_that_would_be_one() -> None:
    lines = fitted("block", COLUMNS, ROWS, width=80)
    assert lines[1].split()[0] != lines[3].split()[0]
    assert "bulk_fraction" not in lines[0]


def test_columns_go_in_order_where_there_is_no_room() -> None:
    heads = [fitted("block", COLUMNS, ROWS, width=w, last=("method",))[0] for w in (140, 105, 60)]
    assert "method" in heads[0]
    assert "method" not in heads[1]
    assert "operator_norm" in heads[2]


def outcome(command: list[str], **how: Any) -> SimpleNamespace:
    done = subprocess.run([sys.executable, "-m", "spectrain", *command], capture_output=True, **how)
    error = done.stderr.decode("latin-1")
    return SimpleNamespace(status=done.returncode, out=done.stdout, err=error)


def test_poor_surroundings(run: Run) -> None:
    """No HOME and an encoding without arrows."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    poor = kept | {"LC_ALL": "C", "PYTHONIOENCODING": "latin-1"}
    found = outcome(["explain", str(run.path)], env=poor)
    assert (found.status, found.err) == (0, "")
    assert b"? " in found.out


def test_a_reader_that_leaves_ends_it_quietly(run: Run) -> None:
    command = f"{sys.executable} -m spectrain --help | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (done.returncode in (0, 141), done.stderr) == (True, "")  # 0: it was written before
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        left = subprocess.run(
            [sys.executable, "-m", "spectrain", "--help"], stdout=pipe, stderr=subprocess.PIPE
        )
    assert (left.returncode, left.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_an_output_that_cannot_be_written_is_said() -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "spectrain", "--help"], stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == 2
    assert done.stderr.decode().count("\n") == 1
    assert "the output cannot be written" in done.stderr.decode()


def test_ctrl_c_is_one_line(monkeypatch: Any, capsys: Any, run: Run) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("spectrain.cli.main._command", interrupted)
    assert main(["explain", str(run.path)]) == 130
    assert capsys.readouterr().err == "spectrain explain: interrupted\n"


def test_the_command_that_was_meant(capsys: Any) -> None:
    assert main(["advize"]) == 2
    assert "there is no command 'advize'; did you mean advise?" in capsys.readouterr().err


def test_a_folder_of_runs_is_understood(tmp_path: Path, capsys: Any) -> None:
    for name in ("adamw", "muon"):
        write_run(tmp_path / "demo" / name, Recipe(steps=range(1), loss=False, spectra=False))
    assert main(["explain", str(tmp_path / "demo")]) == 2
    told = capsys.readouterr().err
    assert "is a folder of runs: it holds adamw and muon; pass one of them" in told
    assert main(["compare", str(tmp_path / "demo")]) == 0
    words = capsys.readouterr().out.split()
    assert words.count("adamw") == words.count("muon") == 1


def test_lost_records_are_no_property_of_the_training(tmp_path: Path) -> None:
    blocks = [make_block("w", Role.OTHER, 0, (8, 8))]
    whole = write_run(tmp_path / "whole", Recipe(blocks=blocks, steps=range(4), loss=False))
    assert whole.missing == ()
    assert not any("lost" in sentence for sentence in events(whole))
    shutil.rmtree(whole.path / "metrics")
    lost = open_run(whole.path)
    assert lost.missing == ("metrics",)
    assert any("metrics is missing" in sentence for sentence in events(lost))


def test_a_gap_between_parts_is_found(tmp_path: Path) -> None:
    from spectrain.core import Record, Source
    from spectrain.records import RunWriter

    writer = RunWriter(tmp_path / "run", manifest={})
    for step in range(3):
        writer.write([Record(step, None, Source.TRAINING, "loss", 1.0)])
        writer.flush()
    writer.close({})
    (middle,) = (tmp_path / "run" / "metrics").glob("*-part-000001-*")
    middle.unlink()
    assert open_run(tmp_path / "run").missing == ("metrics: parts 1 to 1 of rank 0, attempt 1",)
