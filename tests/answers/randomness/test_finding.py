from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from spectrain.answers import Status
from spectrain.answers.randomness.finding import Tail, judge_spectrum, randomness
from spectrain.core import Block, InputError, Record, Role, Source, SpectrumRecord, View
from spectrain.monitor import measure_bulk
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


def test_the_width_is_told_against_that_of_the_first_step(tmp_path: Path) -> None:
    run = write(tmp_path / "run", {"w": eigenvalues()}, step=2)
    finding = randomness(run, replicates=19)
    (row,) = finding.rows
    assert row["width"] == pytest.approx(9.0)  # singular values grow with the step
    assert row["width_since"] == 0
    assert "9.00 times that at step 0" in finding.statement
    (only,) = randomness(write(tmp_path / "one", {"w": eigenvalues()}), replicates=19).rows
    assert only["width"] is None


@pytest.mark.parametrize(
    ("change", "advice"), [(0.5, "Do not truncate"), (0.001, "The random bulk can go")]
)
def test_what_the_bulk_is_worth_is_told(tmp_path: Path, change: float, advice: str) -> None:
    block = Block("w", Role.MLP_IN, 0, SHAPE, "w")
    writer = RunWriter(tmp_path / "run", manifest={"blocks": [block]})
    writer.write_spectra(
        [SpectrumRecord(5, "w", Source.WEIGHT, np.sqrt(eigenvalues())[::-1], "test")]
    )
    writer.write(
        [
            Record(step, name, Source.ABLATION, measure, value, 0.001)
            for step in (1, 5)
            for name, measure, value in (
                (None, "loss", 2.0),
                (None, "loss_change_bulk_truncated", change * step / 5),
                (None, "loss_change_bulk_removed_finetuned", 0.002),
                (None, "loss_change_finetuned", 0.0),
                ("w", "loss_change_bulk_truncated", change),
            )
        ]
    )
    writer.close({})
    finding = randomness(open_run(tmp_path / "run"), replicates=19)
    assert finding.rows[0]["loss_without_bulk"] == change
    assert f"At step 5 the loss of 2 changes by {change:+.3g}" in finding.statement
    assert finding.advice[0].startswith(advice)
    assert (len(finding.advice) == 2) == (change == 0.5)


def test_measured_bulks_are_understood(tmp_path: Path) -> None:
    """The records of measure_bulk themselves, from model to words."""
    model = torch.nn.Linear(48, 96, bias=False)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        model.weight.normal_(std=0.1, generator=generator)
        model.weight[0, 0] = 5.0
    data = torch.randn(4, 64, 48, generator=generator)
    found = measure_bulk(model, lambda m, x: m(x).square().mean(), data, each=True)
    block = Block("weight", Role.OTHER, None, SHAPE, "weight")
    writer = RunWriter(tmp_path / "run", manifest={"blocks": [block]})
    writer.write(found.records(3))
    writer.write_spectra(
        [
            SpectrumRecord(
                3, "weight", Source.WEIGHT, torch.linalg.svdvals(model.weight.detach()).numpy(), ""
            )
        ]
    )
    writer.close({})
    finding = randomness(open_run(tmp_path / "run"), replicates=19)
    assert finding.rows[0]["spikes"] == found.spikes["weight"]
    truncated = found.together["bulk_truncated"].value
    assert finding.rows[0]["loss_without_bulk"] == pytest.approx(truncated)
    assert "without its random bulk" in finding.statement
