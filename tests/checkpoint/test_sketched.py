"""Large matrices are estimated, with errors; what a sketch cannot tell has a reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from spectrain.checkpoint import inspect_checkpoints, open_checkpoint
from spectrain.checkpoint.measure import NO_VALUES, SKETCH
from spectrain.checkpoint.rules import Rule
from spectrain.checkpoint.sketched import TWO_SIDED, sketched
from spectrain.checkpoint.summary import blocks_frame
from spectrain.cli.main import main
from spectrain.matrix import MEASURES, SKETCHED, spectrum
from spectrain.records import Run
from support.sample_checkpoints import save_safetensors

SIDE = 1300
"""The least at which a sketch is worth it, about."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    g = torch.Generator().manual_seed(0)
    bad = torch.zeros(SIDE, SIDE)
    bad[3, 4] = torch.inf
    tensors = {
        "large.weight": torch.randn(SIDE, SIDE, generator=g),
        "bad.weight": bad,
        "small.weight": torch.randn(40, SIDE, generator=g),
    }
    return save_safetensors(tmp_path_factory.mktemp("model") / "m.safetensors", tensors)


@pytest.fixture(scope="module")
def run(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("run") / "run"
    return inspect_checkpoints([open_checkpoint(model)], folder, sketch_from=SIDE).run


def test_estimates_hold_the_truth_in_their_intervals(run: Run, model: Path) -> None:
    rows = {row["measure"]: row for row in run.metrics(block="large.weight").to_dicts()}
    whole = next(t for t in open_checkpoint(model).tensors if t.name == "large.weight").load()
    assert isinstance(whole, torch.Tensor)
    exact = spectrum(whole)
    for name in (*SKETCHED, "spectral_entropy"):
        truth, row = MEASURES[name](exact).item(), rows[name]
        # Fixed seed; over seeds 99 % of such intervals hold the truth (tests/matrix).
        assert abs(row["value"] - truth) <= TWO_SIDED * row["error"] + 1e-6 * truth, name
        assert row["reason"].startswith("estimated from ")
    assert 0 < rows["nuclear_norm"]["error"] < 0.02 * rows["nuclear_norm"]["value"]


def test_what_a_sketch_does_not_tell_has_a_reason(run: Run) -> None:
    rows = {row["measure"]: row for row in run.metrics(block="large.weight").to_dicts()}
    assert set(rows) == set(MEASURES)
    untold = set(MEASURES) - set(SKETCHED) - {"spectral_entropy"}
    assert {name for name, row in rows.items() if row["value"] is None} == untold
    assert all(rows[name]["reason"].startswith(NO_VALUES) for name in untold)
    spectra = {row["block"]: row for row in run.spectra().to_dicts()}
    assert (spectra["large.weight"]["method"], len(spectra["large.weight"]["values"])) == (
        SKETCH,
        0,
    )
    assert spectra["small.weight"]["method"].startswith("gram/")


def test_what_is_not_finite_is_said_as_always(run: Run) -> None:
    rows = run.metrics(block="bad.weight")
    assert rows["value"].is_null().all()
    assert set(rows["reason"]) == {"matrix holds NaN or Inf"}


def test_tables_show_the_errors(run: Run) -> None:
    rows = {row["block"]: row for row in blocks_frame(run).to_dicts()}
    assert rows["large.weight"]["nuclear_norm_error"] > 0
    assert rows["small.weight"]["nuclear_norm_error"] is None


def test_a_matrix_that_a_sketch_does_not_suit_has_its_spectrum() -> None:
    assert sketched(torch.zeros(SIDE, SIDE)) is None
    assert sketched(torch.randn(64, 8192)) is None  # the spectrum costs less


def test_a_rule_within_the_error_is_undecided(run: Run) -> None:
    row = run.metrics(block="large.weight", measure="effective_rank").to_dicts()[0]
    for shift, broken, undecided in ((-0.5, 0, 1), (0.5, 0, 1), (4, 1, 0), (-4, 0, 0)):
        rule = Rule.parse(
            f"effective_rank<{row['value'] + shift * row['error']}", dict.fromkeys(MEASURES, "")
        )
        own = run.metrics(block="large.weight")
        assert (rule.broken_by(own).height, rule.undecided_by(own).height) == (broken, undecided)


def test_the_command_says_what_is_estimated(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["inspect", str(model), "--no-random", "--json", "--sketch-from", str(SIDE)]
    page = tmp_path / "page.html"
    assert main([*arguments, "--html", str(page)]) == 3  # one matrix is not finite
    methods = {row["block"]: row["method"] for row in json.loads(capsys.readouterr().out)["blocks"]}
    assert methods["large.weight"] == SKETCH
    assert "estimated from " in page.read_text("utf-8")
    assert main([*arguments, "--exact"]) == 3
    rows = json.loads(capsys.readouterr().out)["blocks"]
    assert {row["method"] for row in rows if row["block"] != "bad.weight"} == {"exact/float64"}
    assert main([*arguments[:-1], "0"]) == 2
