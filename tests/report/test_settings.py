"""What sets runs apart, and what seeds say together."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import stats

from spectrain.core import Record, Source
from spectrain.page.html import asset
from spectrain.records import RunWriter, open_run
from spectrain.report.settings import band, differing, interval, seed_groups


def run(path, config, losses=(), *, seed=0):
    manifest = {"config": {"out": str(path), **config}, "seeds": {"torch": seed}}
    writer = RunWriter(path, manifest=manifest)
    writer.write([Record(s, None, Source.TRAINING, "loss", v) for s, v in enumerate(losses)])
    writer.close({})
    return open_run(path)


def test_settings_that_differ_are_found_and_seeds_are_told_apart(tmp_path):
    runs = [
        run(tmp_path / "a", {"lr": 0.1, "width": 64}, seed=0),
        run(tmp_path / "b", {"lr": 0.1, "width": 64}, seed=1),
        run(tmp_path / "c", {"lr": 0.2, "width": 64, "beta": 0.9}, seed=0),
    ]
    settings, seeds = differing(runs)
    assert {s.name: s.values for s in settings} == {
        "lr": ["0.1", "0.1", "0.2"],
        "beta": [None, None, "0.9"],
    }
    assert [s.name for s in seeds] == ["seeds.torch"]
    assert seed_groups(settings, 3) == [[0, 1], [2]]


def test_what_comes_with_another_optimizer_is_no_setting_of_its_own(tmp_path):
    adamw = {"name": "group 0.0", "optimizer": "AdamW", "settings": {"lr": 0.01, "amsgrad": False}}
    muon = {"name": "group 0.0", "optimizer": "Muon", "settings": {"lr": 0.02, "nesterov": True}}
    second = {"name": "group 1.0", "optimizer": "AdamW", "settings": {"lr": 0.01}}
    other = {**adamw, "settings": {"lr": 0.01, "amsgrad": True}}
    made = {
        name: RunWriter(tmp_path / name, manifest={"groups": groups})
        for name, groups in (("a", [adamw]), ("b", [muon, second]), ("c", [other]))
    }
    for writer in made.values():
        writer.close({})
    a, b, c = (open_run(tmp_path / name) for name in made)
    assert {s.name: s.values for s in differing([a, b])[0]} == {
        "group 0.0 optimizer": ["AdamW", "Muon"],
        "group 0.0 lr": ["0.01", "0.02"],
        "group 1.0 optimizer": [None, "AdamW"],
    }
    assert [s.name for s in differing([a, c])[0]] == ["group 0.0 amsgrad"]


def test_intervals_are_students(tmp_path):
    values = np.random.default_rng(0).standard_normal(5)
    found = interval(list(values))
    low, high = stats.t.interval(0.95, 4, loc=values.mean(), scale=stats.sem(values))
    assert (found.low, found.high, found.count) == (pytest.approx(low), pytest.approx(high), 5)
    assert interval([1.0]) is None


def test_bands_are_means_at_common_steps(tmp_path):
    runs = [run(tmp_path / n, {}, losses) for n, losses in (("a", [3, 2, 1]), ("b", [5, 4]))]
    found = band(runs, [0, 1], "loss")
    assert (found.steps, found.mean) == ([0, 1], [4.0, 3.0])
    assert found.low[0] == pytest.approx(4 - 12.706 * 1, rel=1e-3)  # s/√n = 1, one degree
    assert band(runs, [0, 1], "validation_loss") is None


# Machado, Oliveira & Fernandes (2009), severity 1, on linear RGB.
DEFICIENCIES = {
    "none": np.eye(3),
    "protan": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deutan": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritan": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}


def linear(code):
    c = np.array([int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def oklab(rgb):
    """Björn Ottosson (2020), of linear sRGB."""
    lms = np.cbrt(
        np.clip(rgb, 0, 1)
        @ np.array(
            [
                [0.4122214708, 0.2119034982, 0.0883024619],
                [0.5363325363, 0.6806995451, 0.2817188376],
                [0.0514459929, 0.1073969566, 0.6299787005],
            ]
        )
    )
    return lms @ np.array(
        [
            [0.2104542553, 1.9779984951, 0.0259040371],
            [0.7936177850, -2.4285922050, 0.7827717662],
            [-0.0040720468, 0.4505937099, -0.8086757660],
        ]
    )


@pytest.mark.parametrize("dark", [False, True])
def test_twelve_runs_have_colours_that_everyone_tells_apart(dark):
    """A difference of 0.02 in OKLab is just seen; a line needs 3:1 on its ground (WCAG 1.4.11)."""
    css = asset("page.css")
    codes = re.findall(r"--run-(\d+): (#[0-9a-f]{6})", css)
    chosen = [code for _, code in (codes[12:] if dark else codes[:12])]
    assert (len(codes), len(set(chosen))) == (24, 12)
    ground = re.findall(r"--paper: (#[0-9a-f]{6})", css)[dark]
    weights = np.array([0.2126, 0.7152, 0.0722])
    for matrix in DEFICIENCIES.values():
        seen = np.array([oklab(linear(code) @ matrix.T) for code in chosen])
        apart = np.linalg.norm(seen[:, None] - seen[None], axis=-1) + np.eye(12)
        assert apart.min() > 0.1
    for code in chosen:
        light = sorted(float(weights @ linear(one)) for one in (code, ground))
        assert (light[1] + 0.05) / (light[0] + 0.05) > 3
