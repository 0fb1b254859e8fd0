import json

import numpy as np
import pytest

from spectrain.core import InputError, Record, Source
from spectrain.records import RunWriter, open_run
from spectrain.report import compare
from spectrain.report.comparison import distinct_names, role_curves
from support.synthetic_run import Recipe, gpt_blocks, write_run


def with_losses(path, losses, measure="loss", every=1):
    writer = RunWriter(path, manifest={})
    writer.write(
        [
            Record(step * every, None, Source.TRAINING, measure, float(value))
            for step, value in enumerate(losses)
        ]
    )
    writer.close({"overhead": 0.01})
    return open_run(path)


def test_losses_are_compared_at_steps_that_all_have_reached(tmp_path):
    first = np.random.default_rng(0).standard_normal(401)
    second = np.random.default_rng(1).standard_normal(1000)
    runs = [with_losses(tmp_path / "a", first), with_losses(tmp_path / "b", second)]
    found = compare(runs)
    assert (found.steps, [row.step for row in found.losses]) == (400, [100, 200, 400])
    for row, window in zip(found.losses, (5, 10, 20), strict=True):
        for losses, loss in zip((first, second), row.losses, strict=True):
            last = losses[row.step - window + 1 : row.step + 1]
            assert loss.value == pytest.approx(last.mean())
            assert loss.error == pytest.approx(last.std(ddof=1) / window**0.5)


def test_held_out_losses_are_the_last_ones(tmp_path):
    runs = [
        with_losses(tmp_path / name, losses, "validation_loss", every=100)
        for name, losses in (("a", [3.0, 2.0, 1.0]), ("b", [3.0, 2.5]))
    ]
    (row,) = compare(runs).losses
    assert (row.measure, row.step) == ("validation_loss", 100)
    assert [loss.value for loss in row.losses] == [2.0, 2.5]
    assert [loss.error for loss in row.losses] == [None, None]


def test_roles_side_by_side(realistic_run, tmp_path):
    def low(block, progress):
        return 0.2

    other = write_run(tmp_path / "other", Recipe(blocks=gpt_blocks(2), share=low))
    found = compare([realistic_run, other])
    groups = {(row.question, row.role): row.groups for row in found.roles}
    roles = [row.role for row in found.roles if row.question == "descent"]
    assert roles[:3] == ["embedding", "attention.q", "attention.k"]
    ratios = [group.ratio for group in groups["descent", "mlp.out"]]
    assert ratios[0] > ratios[1]
    assert groups["rank", "mlp.out"][1].late == pytest.approx(0.2, rel=0.1)
    assert groups["descent", "attention.q"][0].blocks == 4
    assert groups["descent", "attention.q"][0].spectral == 3
    trends = [group.verdict for group in groups["rank", "attention.q"]]
    assert trends == ["falling", "no trend"]
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["names"] == found.names


def test_runs_without_records_leave_holes(realistic_run, tmp_path):
    empty = write_run(tmp_path / "empty", Recipe(blocks=(), steps=(), loss=False, summary=False))
    found = compare([realistic_run, empty])
    assert found.overheads == [0.0097, None]
    assert all(row.losses[1] is None for row in found.losses)
    assert all(row.groups[1] is None for row in found.roles)


def test_role_curves_are_medians(realistic_run):
    curve = role_curves(realistic_run, realistic_run.blocks)["head"]
    own = realistic_run.history("head.weight")
    assert curve.values == pytest.approx((own["gradient/effective_rank"] / 64).to_list(), rel=1e-3)


def test_names_tell_runs_apart(tmp_path):
    runs = [with_losses(tmp_path / name, [1.0]) for name in ("x/run", "y/run", "z")]
    assert distinct_names(runs) == ["x/run", "y/run", f"{tmp_path.name}/z"]
    assert distinct_names([runs[0], runs[2]]) == ["run", "z"]
    assert distinct_names([runs[0], runs[0]]) == ["run (1)", "run (2)"]


def test_one_run_cannot_be_compared(realistic_run):
    with pytest.raises(InputError, match="fewer than two runs"):
        compare([realistic_run])
