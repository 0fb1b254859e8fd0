from base64 import b64decode
from dataclasses import replace

import numpy as np
import pytest

from spectrain.core import Source, SpectrumRecord
from spectrain.records import RunWriter, open_run
from spectrain.report import waterfall
from spectrain.report.waterfall import keep_indices, keep_slices, read_waterfalls
from support.synthetic_run import Recipe, gpt_blocks, write_run


def unpacked(series):
    """σᵢ/σ₁ as the page's script reads it."""
    levels = np.frombuffer(b64decode(series.packed), dtype="<u2").astype(float)
    return 10 ** (-8 * levels / 65535).reshape(len(series.steps), len(series.indices))


@pytest.mark.parametrize(("samples", "count"), [(1, 28), (5, 28), (28, 28), (29, 28), (1000, 12)])
def test_slices_are_distinct_and_keep_both_ends(samples, count):
    kept = keep_slices(samples, count)
    assert (kept[0], kept[-1]) == (0, samples - 1)
    assert len(set(kept)) == len(kept) == min(samples, count)


@pytest.mark.parametrize(("size", "count"), [(1, 64), (64, 64), (65, 64), (4096, 16)])
def test_indices_keep_the_largest_and_the_smallest(size, count):
    kept = keep_indices(size, count)
    assert (kept[0], kept[-1]) == (0, size - 1)
    assert len(set(kept)) == len(kept) == min(size, count)
    assert kept[: count // 2].tolist() == list(range(min(count // 2, size)))


def test_spectra_come_back(realistic_run):
    picker = read_waterfalls(realistic_run, realistic_run.blocks)
    assert picker.blocks == [block.name for block in realistic_run.blocks]
    assert picker.sources == ["gradient", "update", "weight"]
    series = picker.waterfalls["3/gradient"]
    spectra = realistic_run.spectra(source="gradient", block=picker.blocks[3])
    kept = spectra.filter(spectra["step"].is_in(series.steps))
    values = np.stack([np.asarray(row) for row in kept["values"]])[:, np.array(series.indices) - 1]
    assert len(series.steps) == 28
    assert series.largest == pytest.approx(values[:, 0], rel=5.1e-4)
    # half a level is 8/65535/2 decades, 1.4e-4 relative
    assert unpacked(series) == pytest.approx(values / values[:, :1], rel=1.5e-4)


def test_zero_matrices_and_zero_singular_values_are_at_the_floor(tmp_path):
    block = gpt_blocks(1)[0]
    writer = RunWriter(tmp_path / "run", manifest={"blocks": [block.to_dict()]})
    for step, values in enumerate(([0.0, 0.0], [1.0, 0.0], [1.0, 1e-9])):
        spectrum = np.array(values)
        writer.write_spectra([SpectrumRecord(step, block.name, Source.GRADIENT, spectrum, "exact")])
    writer.close({})
    run = open_run(tmp_path / "run")
    series = read_waterfalls(run, run.blocks).waterfalls["0/gradient"]
    assert unpacked(series) == pytest.approx(np.array([[1e-8, 1e-8], [1, 1e-8], [1, 1e-8]]))
    assert series.largest == [0.0, 1.0, 1.0]


def test_large_networks_keep_one_block_of_each_role_and_layer(tmp_path, monkeypatch):
    monkeypatch.setattr(waterfall, "MOST_BLOCKS", 9)
    monkeypatch.setattr(waterfall, "MOST_VALUES", 3 * 12 * 16 * 9)
    blocks = gpt_blocks(1)
    twins = [*blocks, *(replace(block, name=f"{block.name} 2") for block in blocks)]
    run = write_run(tmp_path / "run", Recipe(blocks=twins, steps=range(30)))
    picker = read_waterfalls(run, run.blocks)
    assert picker.blocks == [block.name for block in blocks]
    assert picker.omitted == len(blocks)
    assert {len(series.steps) for series in picker.waterfalls.values()} == {12}
    assert {len(series.indices) for series in picker.waterfalls.values()} == {16}


def test_of_very_large_networks_every_few_are_kept(monkeypatch, tmp_path):
    monkeypatch.setattr(waterfall, "MOST_BLOCKS", 4)
    run = write_run(tmp_path / "run", Recipe(blocks=gpt_blocks(1), steps=(0,)))
    picker = read_waterfalls(run, run.blocks)
    assert picker.blocks == [block.name for block in run.blocks[::7]]
    assert picker.omitted == len(run.blocks) - 2


def test_runs_without_spectra_have_nothing_to_pick(tmp_path):
    run = write_run(tmp_path / "run", Recipe(spectra=False, steps=(0,)))
    picker = read_waterfalls(run, run.blocks)
    assert (picker.blocks, picker.sources, picker.waterfalls) == ([], [], {})
