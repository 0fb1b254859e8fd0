import numpy as np
import pytest

from spectrain.core import Record, Role, Source
from spectrain.records import Run, RunWriter, open_run
from spectrain.report import grids
from spectrain.report.grids import Grid, grid_rows, read_grids
from support.synthetic_run import Recipe, gpt_blocks, make_block, write_run


def _rank(run: Run) -> Grid:
    return next(grid for grid in read_grids(run, run.blocks) if grid.key == "rank")


def test_rows_go_by_role_and_depth_whatever_the_order():
    blocks = gpt_blocks(2)
    rows = grid_rows(blocks[::-1])
    assert [(row.role, row.depth) for row in rows] == [
        ("embedding", None),
        *((f"attention.{kind}", depth) for kind in "qkvo" for depth in (0, 1)),
        *((f"mlp.{kind}", depth) for kind in ("in", "out") for depth in (0, 1)),
        ("head", None),
        *(("norm", depth) for depth in (0, 1)),
    ]


def test_cells_are_medians_over_the_blocks_of_a_row(tmp_path):
    blocks = [make_block(f"expert {i}", Role.EXPERT, 1, (10, 10)) for i in range(3)]
    writer = RunWriter(tmp_path / "run", manifest={"blocks": [b.to_dict() for b in blocks]})
    for step in (0, 5):
        for block, value in zip(blocks, (2.0, 5.0, 9.0), strict=True):
            writer.write(
                [Record(step, block.name, Source.GRADIENT, "effective_rank", value + step / 10)]
            )
    writer.close({})
    run = open_run(tmp_path / "run")
    grid = _rank(run)
    assert (grid.steps, grid.values) == ([0, 5], [[0.5, 0.55]])
    assert [(row.blocks, row.depth) for row in grid_rows(run.blocks)] == [(3, 1)]


def test_the_three_grids_hold_what_was_recorded(realistic_run):
    run = realistic_run
    found = {grid.key: np.array(grid.values, dtype=float) for grid in read_grids(run, run.blocks)}
    block = run.blocks[1]  # the only query projection of layer 0
    history = run.history(block.name)
    place = 1
    expected = {
        "rank": history["gradient/effective_rank"] / 64,
        "descent": history["gradient/nuclear_rank"] / history["input/stable_rank"],
        "update": history["update/frobenius_norm"] / history["weight/frobenius_norm"],
    }
    for key, values in expected.items():
        assert found[key].shape == (30, 60)
        assert found[key][place] == pytest.approx(values.to_numpy(), rel=5.1e-4)


def test_long_runs_are_thinned_to_medians(tmp_path, monkeypatch):
    monkeypatch.setattr(grids, "MOST_COLUMNS", 10)
    run = write_run(tmp_path / "run", Recipe(blocks=gpt_blocks(1)[:2], steps=range(25)))
    grid = _rank(run)
    assert grid.steps == [0, 3, 6, 9, 12, 15, 18, 21, 24]
    values = run.history("embedding.weight")["gradient/effective_rank"].to_numpy() / 64
    assert grid.values[0][0] == pytest.approx(np.median(values[:3]), rel=5.1e-4)


def test_blocks_that_were_not_chosen_are_absent(realistic_run):
    chosen = realistic_run.blocks[3:5]
    some, whole = (
        read_grids(realistic_run, blocks)[0] for blocks in (chosen, realistic_run.blocks)
    )
    places = [row.name for row in grid_rows(realistic_run.blocks)]
    assert some.values == [whole.values[places.index(row.name)] for row in grid_rows(chosen)]
