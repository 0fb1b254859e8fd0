"""What objects show in a notebook: a short line, and HTML in which names are text."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import torch

import spectrain
from spectrain.answers import diagnose
from spectrain.core import Role
from spectrain.matrix import spectrum
from spectrain.records import Run
from support.synthetic_run import Recipe, make_block, write_run

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    blocks = [make_block(HOSTILE, Role.MLP_IN, 0, (8, 8))]
    place = tmp_path_factory.mktemp("notebook") / "a<b"
    return write_run(place, Recipe(blocks=blocks, steps=range(3)))


def shown(one: Any) -> str:
    html: str = one._repr_html_()
    assert len(repr(one)) < 600
    assert "\n" not in repr(one)
    assert HOSTILE not in html
    return html


def test_runs_and_answers(run: Run) -> None:
    html = shown(run)
    assert "finished" in html
    assert "a&lt;b" in html
    assert "loss" in html
    for finding in diagnose(run):
        assert str(finding.sign) in repr(finding)
        assert finding.question.replace("'", "&#x27;") in shown(finding)


def test_networks_spectra_and_watches(tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Linear(3, 2))
    network = spectrain.find_blocks(model)
    assert repr(network) == "Network(2 blocks, 2 skipped)"
    assert "0.weight" in shown(network)
    batch = spectrum(torch.stack([torch.eye(3), torch.full((3, 3), torch.nan)]))
    assert repr(batch).startswith("Spectrum((2,) of 3 × 3, ")
    assert "matrix holds NaN" in shown(batch)
    assert repr(spectrum(torch.eye(3))).startswith("Spectrum(3 × 3, ")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with spectrain.watch(model, optimizer, tmp_path / "run") as watched:
        assert "open" in shown(watched)
    assert repr(watched).endswith("closed, step 0)")


def test_a_page_stands_in_a_frame_of_its_own(run: Run) -> None:
    page = run.page()
    html = shown(page)
    assert html.startswith('<iframe title="a&lt;b" sandbox="allow-scripts')
    assert "<script" not in html
    assert "&lt;!doctype html&gt;" in html


CELLS = (
    """
    import torch, spectrain
    from spectrain.answers import diagnose
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    """,
    """
    with spectrain.watch(model, optimizer, "runs/mine") as watched:
        for step in range(4):
            loss = model(torch.ones(3, 8)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watched.log(loss=loss)
    watched
    """,
    "spectrain.open_run(watched.path)",
    "diagnose(spectrain.open_run(watched.path))[0]",
    "spectrain.find_blocks(model)",
    "spectrain.spectrum(torch.eye(3))",
    "spectrain.open_run(watched.path).page()",
)


@pytest.mark.slow
def test_cells_run_and_run_again_in_a_kernel(tmp_path: Path) -> None:
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    cells = [nbformat.v4.new_code_cell(dedent(cell).strip()) for cell in (*CELLS, *CELLS[1:3])]
    notebook = nbformat.v4.new_notebook(cells=cells)
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=300, resources=resources).execute()
    results = [
        output["data"]
        for cell in notebook.cells
        for output in cell.outputs
        if output.output_type == "execute_result"
    ]
    assert len(results) == len(CELLS) - 1 + 2
    assert all("text/html" in data for data in results)
    assert "srcdoc" in results[5]["text/html"]
    assert "runs/mine-2" in results[6]["text/plain"]  # the cell again: a run beside the first
