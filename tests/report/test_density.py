from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from spectrain.checkpoint import inspect_checkpoints, open_checkpoint
from spectrain.core import InputError
from spectrain.records import Run
from spectrain.report.density import eigenvalue_figure, write_eigenvalue_figures
from support.sample_checkpoints import save_safetensors


@pytest.fixture
def run(tmp_path: Path, generator: torch.Generator) -> Run:
    tensors = {
        "layers.0.$x$/../w.weight": torch.randn(60, 40, generator=generator),
        "layers.1.w.weight": torch.full((12, 12), torch.nan),
    }
    path = save_safetensors(tmp_path / "m.safetensors", tensors)
    return inspect_checkpoints([open_checkpoint(path)], tmp_path / "run").run


def test_bulk_and_tail_are_marked(run: Run) -> None:
    figure = eigenvalue_figure(run, run.blocks[0])
    (axes,) = figure.axes
    words = [text.get_text() for text in axes.get_legend().get_texts()]
    assert words[0].startswith("bulk up to ")
    assert words[1].startswith("tail: α = ")
    edge = np.asarray(axes.lines[0].get_xdata())[0]
    values = torch.tensor(run.spectra(block=run.blocks[0].name)["values"].to_list()[0]) ** 2
    assert 0.8 * float(values.max()) < edge < 1.3 * float(values.max())


def test_every_block_with_values_gets_a_file_inside_the_folder(run: Run, tmp_path: Path) -> None:
    (path,) = write_eigenvalue_figures(run, tmp_path / "figures")
    assert path.parent == tmp_path / "figures"
    assert path.read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(InputError, match="not recorded"):
        eigenvalue_figure(run, run.blocks[1])
