from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from spectrain.core import Block, InputError, Role, Source, SpectrumRecord, View
from spectrain.findings import Status
from spectrain.findings.randomness import Tail, judge_spectrum, randomness
from spectrain.records import Run, RunWriter, open_run
from spectrain.rmt.ensembles import laguerre_eigenvalues

SHAPE = (96, 48)


def eigenvalues(spikes: tuple[float, ...] = (), seed: int = 0) -> np.ndarray:
    """A random spectrum whose largest eigenvalues are replaced."""
    generator = torch.Generator().manual_seed(seed)
    (levels,) = laguerre_eigenvalues(SHAPE, count=1, generator=generator)
    return np.sort(np.concatenate([np.sort(levels)[: SHAPE[1] - len(spikes)], spikes]))


def write(
    folder: Path, spectra: dict[str, np.ndarray], step: int = 0, **shapes: tuple[int, int]
) -> Run:
    blocks = [Block(name, Role.MLP_IN, 0, shapes.get(name, SHAPE), name) for name in spectra]
    gain = Block("gain", Role.NORM, 0, (4, 4), "gain", View(diagonal=True))
    writer = RunWriter(folder, manifest={"blocks": [*blocks, gain]})
    for at in range(step + 1):
        writer.write_spectra(
            [
                SpectrumRecord(at, name, Source.WEIGHT, np.sqrt(x)[::-1] * (at + 1), "test")
                for name, x in spectra.items()
            ]
        )
    writer.close({})
    return open_run(folder)


def test_a_random_spectrum_is_called_random_at_the_stated_rate() -> None:
    tails = []
    for seed in range(40):
        generator = torch.Generator().manual_seed(seed)
        found = judge_spectrum(eigenvalues(seed=seed), SHAPE, generator=generator, replicates=39)
        tails.append(found["tail"])
    # Binomial(40, 0.95): 33 or more with probability 0.9993; measured on these seeds: see below.
    assert tails.count(Tail.NONE) >= 33


def test_spikes_are_counted() -> None:
    found = []
    for seed in range(10):
        generator = torch.Generator().manual_seed(seed)
        matrix = torch.randn(SHAPE, generator=generator).double() / SHAPE[0] ** 0.5
        matrix[0, 0], matrix[1, 1] = 4.0, 6.0
        levels = torch.linalg.svdvals(matrix).square().numpy()
        found.append(judge_spectrum(levels, SHAPE, generator=generator, replicates=39))
    assert {row["spikes"] for row in found} == {2}
    assert sum(row["tail"] is Tail.SPIKES for row in found) >= 8
    assert all(row["bulk_fraction"] == pytest.approx(46 / 48, abs=0.03) for row in found)


def test_a_power_law_has_no_random_bulk() -> None:
    levels = np.sort((np.arange(48) + 0.5) / 48) ** -1.5
    found = judge_spectrum(levels, SHAPE, generator=torch.Generator().manual_seed(0), replicates=39)
    assert found["tail"] in {Tail.BENT, Tail.HEAVY}


def test_the_last_step_is_judged(tmp_path: Path) -> None:
    run = write(tmp_path / "run", {"w": eigenvalues(), "v": eigenvalues((30.0,))}, step=2)
    finding = randomness(run, replicates=19)
    rows = {row["block"]: row for row in finding.rows}
    assert set(rows) == {"w", "v"}
    assert finding.status is Status.ANSWERED
    assert rows["w"]["step"] == 2
    assert rows["v"]["spikes"] == 1
    assert finding.to_dict()["rows"][0]["block"] == "w"
    again = randomness(run, replicates=19)
    assert again.rows == finding.rows


def test_what_cannot_be_judged_has_a_reason(tmp_path: Path) -> None:
    spectra = {
        "narrow": np.ones(3),
        "zero": np.zeros(48),
        "nan": np.full(48, np.nan),
        "empty": np.empty(0),
    }
    run = write(tmp_path / "run", spectra, narrow=(5, 3))
    finding = randomness(run, replicates=19)
    assert finding.status is Status.NOT_ENOUGH_DATA
    assert all(row["tail"] is None and row["reason"] for row in finding.rows)
    assert sum(limit.count("not judged") for limit in finding.limits) >= 1


def test_an_unrecorded_block_is_told(tmp_path: Path) -> None:
    run = write(tmp_path / "run", {"w": eigenvalues()})
    other = Block("other", Role.HEAD, None, SHAPE, "other")
    (row,) = randomness(run, blocks=[other]).rows
    assert row["reason"] == "no spectrum of it is recorded"


def test_judging_refuses_what_is_no_spectrum() -> None:
    with pytest.raises(InputError):
        judge_spectrum(np.zeros(48), SHAPE, generator=torch.Generator(), replicates=19)
