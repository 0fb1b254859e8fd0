from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from spectrain.answers import Status
from spectrain.answers.randomness.finding import randomness
from spectrain.answers.randomness.judge import Zeros, judge_spectrum
from spectrain.answers.randomness.row import Judgement, Verdict
from spectrain.checkpoint import inspect_checkpoints, open_checkpoint
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


def test_the_last_finite_spectrum_is_judged(tmp_path: Path) -> None:
    """A matrix that became NaN is judged as it was before."""
    run = write(tmp_path, {"w": eigenvalues()}, step=2)
    writer = RunWriter(tmp_path / "broken", manifest={"blocks": list(run.blocks)})
    values = np.sqrt(eigenvalues())[::-1]
    for step, factor in enumerate((1.0, 2.0, np.nan)):
        record = SpectrumRecord(step, "w", Source.WEIGHT, values * factor, "test")
        writer.write_spectra([record])
    writer.close({})
    (row,) = randomness(open_run(tmp_path / "broken"), replicates=39).rows
    assert (row.step, row.reason) == (1, None)


def test_a_random_spectrum_is_called_random_at_the_stated_rate() -> None:
    tails = []
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        found = judge_spectrum(eigenvalues(seed=seed), SHAPE, generator=generator, replicates=39)
        tails.append(found["tail"])
    # Binomial(20, 0.94), a spike in 1 % and a refuted bulk in 5 %: 15 or more with 0.998.
    assert tails.count(Verdict.NONE) >= 15


def test_spikes_are_counted() -> None:
    found = []
    for seed in range(5):
        generator = torch.Generator().manual_seed(seed)
        matrix = torch.randn(SHAPE, generator=generator).double() / SHAPE[0] ** 0.5
        matrix[0, 0], matrix[1, 1] = 4.0, 6.0
        levels = torch.linalg.svdvals(matrix).square().numpy()
        found.append(judge_spectrum(levels, SHAPE, generator=generator, replicates=39))
    assert {row["spikes"] for row in found} == {2}
    assert sum(row["tail"] is Verdict.SPIKES for row in found) >= 3
    assert all(row["bulk_fraction"] == pytest.approx(46 / 48, abs=0.03) for row in found)


def test_a_power_law_has_no_random_bulk() -> None:
    levels = np.sort((np.arange(48) + 0.5) / 48) ** -1.5
    found = judge_spectrum(levels, SHAPE, generator=torch.Generator().manual_seed(0), replicates=39)
    assert found["tail"] in {Verdict.BENT, Verdict.HEAVY}


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


def judged(matrix: torch.Tensor, **zeros: Any) -> Judgement:
    """What is said of a matrix."""
    return judge_spectrum(
        torch.linalg.svdvals(matrix.double()).square().numpy(),
        (len(matrix), matrix.shape[1]),
        generator=torch.Generator().manual_seed(0),
        replicates=39,
        zeros=Zeros(**zeros) if zeros else None,
    )


def gaussian(rows: int, columns: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, columns, generator=generator) / rows**0.5


@pytest.mark.parametrize("dead", [6, 20])
def test_dead_columns_belong_to_no_bulk(dead: int) -> None:
    matrix = gaussian(128, 64, dead)
    matrix[:, :dead] = 0
    found = judged(matrix)
    assert (found.tail, found.spikes, found.zeros) == (Verdict.NONE, 0, dead)
    assert found.bulk_fraction is not None
    assert abs(found.bulk_fraction - (64 - dead) / 64) < 3 * (found.bulk_fraction_error or 0)


@pytest.mark.parametrize(("rows", "columns"), [(40, 0), (0, 20), (70, 6)])
def test_dead_rows_leave_another_shape(rows: int, columns: int) -> None:
    """Known from the entries: the rest of a tall matrix is random at its own ratio of sides."""
    matrix = gaussian(128, 64, 1)
    matrix[:rows], matrix[:, :columns] = 0, 0
    found = judged(matrix, rows=rows, columns=columns)
    left = min(128 - rows, 64 - columns)
    assert (found.tail, found.spikes, found.zeros) == (Verdict.NONE, 0, 64 - left)
    assert found.bulk_fraction == pytest.approx(left / 64, abs=0.02)


@pytest.mark.parametrize(
    "matrix",
    [
        torch.nn.init.orthogonal_(torch.empty(96, 48), generator=torch.Generator().manual_seed(0)),
        2 * torch.eye(64),
        torch.block_diag(torch.eye(40), gaussian(40, 20)),
    ],
)
def test_repeated_values_are_no_bulk(matrix: torch.Tensor) -> None:
    found = judged(matrix)
    assert found.tail is Verdict.EQUAL
    assert found.repeated >= 40
    assert found.bulk_fraction == pytest.approx(1 - found.repeated / min(matrix.shape), abs=0.02)


def test_most_eigenvalues_are_no_spikes_of_the_rest() -> None:
    generator = torch.Generator().manual_seed(0)
    u, _ = torch.linalg.qr(torch.randn(128, 64, generator=generator))
    v, _ = torch.linalg.qr(torch.randn(64, 64, generator=generator))
    values = torch.zeros(64)
    values[:40] = 10 * 1.12 ** torch.arange(40.0)
    found = judged((u * values) @ v.T + gaussian(128, 64, 1))
    assert (found.tail, found.spikes) == (Verdict.MOST, 40)


def test_sparse_matrices_are_told() -> None:
    generator = torch.Generator().manual_seed(0)
    matrix = gaussian(128, 64) * (torch.rand(128, 64, generator=generator) < 0.1)
    found = judged(matrix, entries=0.9)
    assert found.tail is Verdict.SPARSE


@pytest.mark.parametrize("power", [0.5, 1.5])
def test_no_share_stands_beside_a_law_that_is_wrong(power: float) -> None:
    levels = np.sort((np.arange(48) + 0.5) / 48) ** -power
    found = judge_spectrum(levels, SHAPE, generator=torch.Generator().manual_seed(0), replicates=39)
    assert found.tail in {Verdict.BENT, Verdict.HEAVY}
    if found.bulk_fraction:
        assert found.distance is not None
        assert (found.bulk_fraction_error or 0) >= found.distance * found.bulk_fraction


def test_shares_are_never_above_one() -> None:
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        found = judge_spectrum(eigenvalues(seed=seed), SHAPE, generator=generator, replicates=19)
        assert found.bulk_fraction is not None
        assert found.bulk_fraction <= 1


def ends(folder: Path, first: np.ndarray, last: np.ndarray, norms: bool = True) -> Run:
    """Spectra at the steps 0 and 1000 of a walk under AdamW without decay."""
    block = Block("w", Role.MLP_IN, 0, SHAPE, "w")
    group = {
        "name": "group 0.0",
        "optimizer": "AdamW",
        "parameters": ["w"],
        "settings": {"betas": [0.0, 0.99], "lr": 1e-3, "weight_decay": 0.0},
    }
    writer = RunWriter(folder, manifest={"blocks": [block], "groups": [group]})
    writer.write_spectra(
        [
            SpectrumRecord(step, "w", Source.WEIGHT, np.sqrt(values)[::-1], "test")
            for step, values in ((0, first), (1000, last))
        ]
    )
    for step in range(0, 1001, 100) if norms else ():
        size = np.sqrt(first.sum() + (last.sum() - first.sum()) * step / 1000)
        writer.write(
            [
                Record(step, "w", Source.WEIGHT, "frobenius_norm", float(size)),
                Record(step, "w", Source.UPDATE, "frobenius_norm", 1e-3 * (96 * 48) ** 0.5),
                Record(step, "group 0.0", Source.OPTIMIZER, "learning_rate", 1e-3),
                Record(step, "group 0.0", Source.OPTIMIZER, "weight_decay", 0.0),
                Record(step, "group 0.0", Source.OPTIMIZER, "beta1", 0.0),
                Record(step, "group 0.0", Source.OPTIMIZER, "beta2", 0.99),
            ]
        )
    writer.close({})
    return open_run(folder)


def test_the_noise_twin_says_how_much_of_the_width_is_brownian(tmp_path: Path) -> None:
    """1,000 steps of ±1e-3 add a variance of 1e-3 an entry, 0.096 in units of the bulk's σ²."""
    spectrum = eigenvalues()
    (row,) = randomness(ends(tmp_path / "all", spectrum, 1.096 * spectrum), replicates=19).rows
    assert row.width == pytest.approx(1.096, rel=1e-6)
    assert row.brownian is None  # the gain is below three errors
    finding = randomness(ends(tmp_path / "part", spectrum, 1.384 * spectrum), replicates=19)
    assert finding.rows[0].brownian == pytest.approx(0.25, rel=0.1)  # σ² is 0.94 here
    assert "% of the gain if they were noise alone" in finding.statement
    (row,) = randomness(
        ends(tmp_path / "none", spectrum, 2 * spectrum, norms=False), replicates=19
    ).rows
    assert row.brownian is None


def test_beside_weights_that_were_nearly_zero_nothing_is_wide(tmp_path: Path) -> None:
    finding = randomness(ends(tmp_path / "run", 1e-7 * eigenvalues(), eigenvalues()), replicates=19)
    assert finding.rows[0].width is None
    assert "nearly zero" in str(finding.rows[0].width_reason)
    assert "times that at step" not in finding.statement
    assert "Width of the bulk not given" in " ".join(finding.limits)
    start = np.full(48, 0.5)
    finding = randomness(ends(tmp_path / "orthogonal", start, eigenvalues()), replicates=19)
    assert finding.rows[0].width is None


def test_units_do_not_matter(tmp_path: Path) -> None:
    finding = randomness(write(tmp_path / "run", {"w": eigenvalues() * 1e-60}), replicates=19)
    (row,) = finding.rows
    assert row.tail is not None
    assert row.variance == pytest.approx(1e-60, rel=0.1)


def test_zeros_of_a_checkpoint_are_known_by_its_entries(tmp_path: Path) -> None:
    dead, sparse = gaussian(96, 48), gaussian(96, 48, 1)
    dead[:30] = 0
    sparse[torch.rand(96, 48, generator=torch.Generator().manual_seed(2)) < 0.8] = 0
    save_file({"dead.weight": dead, "sparse.weight": sparse}, tmp_path / "m.safetensors")
    run = inspect_checkpoints([open_checkpoint(tmp_path / "m.safetensors")], tmp_path / "run").run
    rows = {row.block: row for row in randomness(run, replicates=19).rows}
    assert rows["dead.weight"].tail is Verdict.NONE
    assert rows["sparse.weight"].tail is Verdict.SPARSE
    assert rows["sparse.weight"].zero_entries == pytest.approx(0.8, abs=0.02)
