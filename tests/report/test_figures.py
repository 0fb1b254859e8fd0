import numpy as np
import pytest

from spectrain.core import InputError, Source
from spectrain.report.figures import heatmap, waterfall
from spectrain.report.grids import read_grids
from support.synthetic_run import Recipe, gpt_blocks, write_run


@pytest.mark.parametrize("key", ["rank", "descent", "update"])
def test_heatmaps_show_the_grid(realistic_run, key, tmp_path):
    figure = heatmap(realistic_run, key)
    grid = next(g for g in read_grids(realistic_run, realistic_run.blocks) if g.key == key)
    mesh = figure.axes[0].collections[0].get_array()
    assert np.asarray(mesh) == pytest.approx(np.array(grid.values))
    for name in ("figure.png", "figure.pdf"):
        figure.savefig(tmp_path / name)
        assert (tmp_path / name).stat().st_size > 5_000


def test_waterfalls_show_the_spectra(realistic_run):
    block = realistic_run.blocks[5].name
    figure = waterfall(realistic_run, block, source=Source.WEIGHT)
    lines = figure.axes[0].lines
    assert len(lines) == 24
    last = realistic_run.spectra(source="weight", block=block)["values"][-1].to_numpy()
    height = np.asarray(lines[-1].get_ydata())
    heights = height - height[0]
    assert heights == pytest.approx(np.log10(last / last[0])[: len(heights)], abs=1e-6)
    assert figure.axes[0].get_title(loc="left") == f"weight of {block}"


def test_names_are_no_mathematics(tmp_path):
    block = gpt_blocks(1)[0]
    run = write_run(
        tmp_path / "run",
        Recipe(blocks=[type(block)("$\\frac{", block.role, 0, (4, 4), "p")], steps=(0, 1)),
    )
    waterfall(run, "$\\frac{").savefig(tmp_path / "figure.png")
    heatmap(run, "rank").savefig(tmp_path / "figure.png")


def test_what_is_not_there_is_refused(realistic_run, tmp_path):
    with pytest.raises(InputError, match="no heatmap 'loss'; choose among descent, rank, update"):
        heatmap(realistic_run, "loss")
    with pytest.raises(InputError, match="has no spectra of the gradient of 'x'"):
        waterfall(realistic_run, "x")
    empty = write_run(tmp_path / "run", Recipe(blocks=gpt_blocks(1), steps=()))
    with pytest.raises(InputError, match="has no records for 'rank'"):
        heatmap(empty, "rank")
