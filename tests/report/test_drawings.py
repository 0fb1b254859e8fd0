"""Figures by name: what they show is what is recorded; what is not recorded is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from spectrain.cli.main import main
from spectrain.core import InputError, Record, Source
from spectrain.records import Run, RunWriter, open_run
from spectrain.report.drawings import DRAWINGS, draw, save
from support.synthetic_run import Recipe, write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return write_run(tmp_path_factory.mktemp("figures") / "run", Recipe(steps=range(12)))


@pytest.mark.parametrize("name", [name for name in DRAWINGS if name != "noise"])
def test_each_draws_into_a_given_axis_and_only_there(name: str, run: Run) -> None:
    figure = Figure()
    left, right = figure.subplots(1, 2)
    DRAWINGS[name].draw(run, left)
    assert left.lines or left.collections
    assert not right.lines
    assert not right.collections


def test_the_loss_is_what_was_logged(run: Run) -> None:
    (axes,) = draw("loss", run).axes
    logged = run.metrics(source="training", measure="loss").sort("step")
    (line,) = axes.lines
    assert line.get_xdata() == pytest.approx(logged["step"].to_numpy())
    assert line.get_ydata() == pytest.approx(logged["value"].to_numpy(), rel=1e-3)  # 4 digits


def test_norms_are_medians_over_a_role(run: Run) -> None:
    (axes,) = draw("norms", run).axes
    lines = {line.get_label(): line for line in axes.lines}
    names = [block.name for block in run.blocks if block.role == "mlp.in"]
    rows = run.metrics(source="weight", measure="frobenius_norm", block=names)
    first = np.median(rows.filter(rows["step"] == 0)["value"])
    assert lines["mlp.in"].get_ydata()[0] == pytest.approx(first)


def test_noise_scales_with_their_intervals(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "run", manifest={"blocks": [write_one(tmp_path)]})
    for step in range(12):
        rows = {"signal_power": 1.0 + 0.1 * (step % 3), "noise_power": 64.0}
        rows["noise_scale"] = 4 * rows["noise_power"] / rows["signal_power"]
        for block in ("w", None):
            writer.write(
                [Record(step, block, Source.NOISE, n, v, None, 4) for n, v in rows.items()]
            )
    writer.close({})
    (axes,) = draw("noise", open_run(tmp_path / "run")).axes
    assert "noise scale" in axes.get_xlabel()
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert "all blocks" in labels
    dots = [line for line in axes.lines if len(np.atleast_1d(line.get_xdata())) == 1]
    assert 150 < np.atleast_1d(dots[0].get_xdata())[0] < 260  # 4·64/1.1 = 233


def write_one(folder: Path) -> dict[str, Any]:
    from spectrain.core import Block, Role

    return Block("w", Role.MLP_IN, 0, (8, 8), "w").to_dict()


def test_what_is_not_recorded_is_said(run: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no figure 'x'; choose among loss, rank"):
        draw("x", run)
    with pytest.raises(InputError, match="has no noise scale"):
        draw("noise", run)
    RunWriter(tmp_path / "run", manifest={}).close({})
    for name in DRAWINGS:
        with pytest.raises(InputError):
            draw(name, open_run(tmp_path / "run"))


@pytest.mark.parametrize("kind", ["pdf", "svg", "png"])
def test_the_command_writes_the_format_of_the_name(
    kind: str, run: Run, tmp_path: Path, capsys: Any
) -> None:
    file = tmp_path / f"loss.{kind}"
    assert main(["figure", str(run.path), "--what", "loss", "--out", str(file)]) == 0
    assert capsys.readouterr().out.strip() == str(file)
    start = file.read_bytes()[:200]
    assert {"pdf": b"%PDF", "svg": b"<svg" if b"<svg" in start else b"<?xml", "png": b"PNG"}[
        kind
    ] in start


def test_a_format_that_is_none_is_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"names no format; end it in \.pdf"):
        save(draw("loss", run), tmp_path / "loss.doc")
