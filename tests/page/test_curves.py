import numpy as np
import polars as pl
import pytest

from spectrain.page.curves import loss_curves, sampled_steps, thinned
from support.synthetic_run import STEPS, Recipe, write_run


def test_short_curves_are_whole():
    series = pl.DataFrame({"step": [0, 5, 9], "value": [3.0, 2.0, 1.0]})
    curve = thinned("validation_loss", series)
    assert (curve.label, curve.steps, curve.values) == ("held-out loss", [0, 5, 9], [3.0, 2.0, 1.0])


@pytest.mark.parametrize("size", [601, 1199, 1200, 50_000])
def test_long_curves_become_means_of_stretches(size):
    values = np.random.default_rng(0).standard_normal(size)
    curve = thinned("loss", pl.DataFrame({"step": np.arange(size), "value": values}))
    assert len(curve.steps) == len(curve.values) <= 600
    assert curve.steps[-1] == size - 1
    assert curve.values[0] == pytest.approx(values[: curve.stretch].mean(), rel=1e-3)
    rest = (size - 1) % curve.stretch + 1
    assert curve.values[-1] == pytest.approx(values[-rest:].mean(), rel=1e-3)


def test_what_is_called_a_loss_is_drawn(tmp_path):
    run = write_run(tmp_path / "run", Recipe(steps=(0, 3), loss_names=("loss", "validation_loss")))
    assert [curve.name for curve in loss_curves(run)] == ["loss", "validation_loss"]


def test_samples_are_marked(realistic_run):
    assert sampled_steps(realistic_run) == list(STEPS)
