"""What a page packs: series in 16 bits, courses of measures, densities of eigenvalues."""

from __future__ import annotations

from base64 import b64decode

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spectrain.answers.randomness.row import RandomnessRow, Verdict
from spectrain.core import Record, Role, Source
from spectrain.records import RunWriter, open_run
from spectrain.report import courses
from spectrain.report.courses import read_courses
from spectrain.report.densities import density, read_densities
from spectrain.report.packing import LEVELS, pack
from support.synthetic_run import gpt_blocks


def unpack(packed):
    """As the page's script reads it."""
    levels = np.frombuffer(b64decode(packed.levels), dtype="<u2").astype(float)
    share = np.where(levels > LEVELS, np.nan, levels / LEVELS)
    values = packed.low * (1 - share) + packed.high * share
    return np.exp(values) if packed.log else values


@given(st.lists(st.floats(-1e300, 1e300) | st.none(), max_size=20))
def test_series_come_back(values):
    found = pack(values)
    again = unpack(found)
    for value, read in zip(values, again, strict=True):
        if value is None:
            assert np.isnan(read)
        else:
            span = (found.high - found.low) if not found.log else None
            allowed = 0.51 * span / LEVELS if span is not None else 0.0
            wide = 0.51 * abs(value) * (found.high - found.low) / LEVELS if found.log else 0.0
            assert read == pytest.approx(value, abs=allowed + wide + 1e-12 * abs(value))


def test_wide_positive_series_keep_their_relative_error():
    values = np.geomspace(1e-9, 1e3, 200)
    assert unpack(pack(values)) == pytest.approx(values, rel=3e-4)  # 27.6/131,068 = 2.1e-4


def test_any_measure_of_any_block_has_its_course(realistic_run, monkeypatch):
    monkeypatch.setattr(courses, "MOST_POINTS", 1000)
    found = read_courses(realistic_run, realistic_run.blocks)
    block = realistic_run.blocks[3].name
    own = realistic_run.history(block)
    for measure in ("gradient/effective_rank", "weight/frobenius_norm", "input/stable_rank"):
        key = f"{found.blocks.index(block)}/{found.measures.index(measure)}"
        course = found.courses[key]
        steps = found.grids[course.steps]
        kept = own.filter(own["step"].is_in(steps))[measure].to_numpy()
        assert unpack(course.values) == pytest.approx(kept, rel=1e-3)
    assert found.omitted == 0


def test_many_blocks_are_thinned(realistic_run, monkeypatch):
    monkeypatch.setattr(courses, "MOST_BLOCKS", 10)
    monkeypatch.setattr(courses, "MOST_VALUES", 0)
    found = read_courses(realistic_run, realistic_run.blocks)
    assert (len(found.blocks), found.omitted) == (4, 26)  # every 9th of 30
    assert max(map(len, found.grids)) == courses.FEWEST_POINTS


def row(shape, spikes, variance, share, **fields):
    return RandomnessRow(
        block="w",
        role=Role.OTHER,
        depth=None,
        shape=shape,
        verdict=Verdict.SPIKES,
        step=7,
        spikes=spikes,
        variance=variance,
        bulk_fraction=share,
        **fields,
    )


def test_the_density_is_that_of_all_eigenvalues_with_the_fitted_law():
    g = torch.Generator().manual_seed(0)
    weight = torch.randn(1200, 400, generator=g, dtype=torch.float64) / 1200**0.5
    values = torch.linalg.svdvals(weight).square().numpy()
    apart = np.append(values, [9.0, 12.0])
    found = density(apart, row((1200, 402), 2, 1.0, 400 / 402))
    assert found.spikes == [12.0, 9.0]
    widths = np.diff(np.array(found.edges))
    assert np.sum(np.array(found.heights) * widths) == pytest.approx(400 / 402, rel=1e-3)
    below = np.cumsum(np.array(found.heights) * widths)
    x, y = np.array(found.bulk.x), np.array(found.bulk.y)
    law = np.concatenate([[0], np.cumsum((y[1:] + y[:-1]) / 2 * np.diff(x))])
    expected = np.interp(np.array(found.edges[1:]), x, law)
    assert below == pytest.approx(expected, abs=0.01)
    assert found.bulk.upper == pytest.approx((1 + (402 / 1200) ** 0.5) ** 2, rel=1e-3)


def test_zeros_are_no_part_of_the_law_and_nothing_is_drawn_of_nothing():
    whole = density(np.linspace(0.1, 1, 30), row((40, 30), 0, 0.3, 0.9))
    less = density(np.linspace(0.1, 1, 30), row((40, 30), 0, 0.3, 0.9, zeros=10))
    assert less.bulk.upper < whole.bulk.upper
    assert density(np.zeros(30), row((40, 30), 0, 0.3, 0.9)) is None
    assert density(np.linspace(0.1, 1, 30), row((40, 30), 0, None, None)).bulk is None


def test_densities_are_those_of_the_blocks_the_answer_judged(realistic_run, realistic_findings):
    found = read_densities(realistic_run, realistic_run.blocks, realistic_findings)
    assert "layers.0.norm.weight" not in found
    assert len(found) == 26
    assert read_densities(realistic_run, realistic_run.blocks, []) == {}


def test_a_run_without_records_has_no_course(tmp_path):
    writer = RunWriter(tmp_path / "run", manifest={"blocks": [b.to_dict() for b in gpt_blocks(1)]})
    writer.write([Record(0, None, Source.TRAINING, "loss", 1.0)])
    writer.close({})
    run = open_run(tmp_path / "run")
    assert read_courses(run, run.blocks).courses == {}
