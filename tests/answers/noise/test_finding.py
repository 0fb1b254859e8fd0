"""The noise finding on records whose truth is known, and on a watched training."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

import spectrain
from spectrain.answers import Finding, noise
from spectrain.answers.finding import Sign
from spectrain.answers.noise.finding import _directional
from spectrain.answers.noise.row import Kind, NoiseGroup, NoiseRow, Verdict
from spectrain.answers.noise.samples import (
    Directions,
    read_directions,
    read_energies,
    signal_to_noise_of,
)
from spectrain.core import Record, Role, Source
from spectrain.noise import (
    NO_BATCH_SIZE,
    additive,
    directional_records,
    held_noise,
    proportional,
)
from spectrain.records import Run, RunWriter, open_run
from support.synthetic_run import make_block

STEPS, REPLICAS, BATCH = 30, 4, 64
BLOCKS = [
    make_block("a.weight", Role.MLP_IN, 0, (30, 20)),
    make_block("b.weight", Role.MLP_IN, 1, (30, 20)),
    make_block("c.weight", Role.HEAD, None, (30, 20)),
]


def write(
    path: Path,
    snr: dict[str | None, float],
    *,
    batch_size: bool = True,
    extra: Sequence[Record] = (),
) -> Run:
    """Energies with the given signal-to-noise ratio of a replica, χ² noise on both."""
    generator = np.random.default_rng(0)
    writer = RunWriter(path, manifest={"config": {}, "blocks": [b.to_dict() for b in BLOCKS]})
    for step in range(STEPS):
        for block, ratio in snr.items():
            noise_power = generator.chisquare(200) / 200
            signal = ratio + (generator.chisquare(200) / 200 - 1) / REPLICAS / 5
            scale = noise_power / signal * BATCH / REPLICAS if batch_size else None
            why = None if batch_size else NO_BATCH_SIZE
            rows = (("signal_power", signal, None), ("noise_power", noise_power, None))
            writer.write(
                [
                    Record(step, block, Source.NOISE, name, value, None, REPLICAS, reason)
                    for name, value, reason in (*rows, ("noise_scale", scale, why))
                ]
            )
    writer.write(list(extra))
    writer.close({"finished": True})
    return open_run(path)


def rows(finding: Finding[NoiseRow, NoiseGroup]) -> dict[str, NoiseRow]:
    return {row.block: row for row in finding.rows}


def test_noise_scales_and_verdicts(tmp_path: Path) -> None:
    run = write(tmp_path, {None: 0.02, "a.weight": 0.01, "b.weight": 4.0, "c.weight": 0.25})
    finding = noise(run)
    found = rows(finding)
    assert [found[b.name].verdict for b in BLOCKS] == ["mostly noise", "mostly signal", "open"]
    for name, ratio in (("b.weight", 4.0), ("c.weight", 0.25)):
        truth = BATCH / REPLICAS / ratio
        assert found[name].low < truth < found[name].high
        assert found[name].snr == pytest.approx(REPLICAS * ratio, rel=0.2)
    assert found["a.weight"].unit == "examples"
    assert found["a.weight"].batch == pytest.approx(BATCH)
    assert finding.status == "answered"
    assert "whole network" in finding.statement
    json.dumps(finding.to_dict(), allow_nan=False)


def test_roles_are_taken_as_one_gradient(tmp_path: Path) -> None:
    run = write(tmp_path, {"a.weight": 0.01, "b.weight": 4.0, "c.weight": 0.25})
    groups = {group.role: group for group in noise(run).groups}
    assert groups[Role.MLP_IN].blocks == 2
    assert groups[Role.MLP_IN].scale.noise_scale == pytest.approx(16 * 2 / 4.01, rel=0.15)


def test_without_replicas_it_says_what_to_do(tmp_path: Path) -> None:
    finding = noise(write(tmp_path, {}))
    assert finding.status == "not enough data"
    assert "one backward pass a step" in finding.statement
    assert "measure_noise" in finding.advice[0]


def test_without_a_batch_size_it_counts_microbatches(tmp_path: Path) -> None:
    finding = noise(write(tmp_path, {"a.weight": 0.5}, batch_size=False))
    row = rows(finding)["a.weight"]
    assert row.unit == "microbatches"
    assert row.noise_scale == pytest.approx(2.0, rel=0.2)
    assert row.batch == REPLICAS


def test_no_signal_leaves_the_scale_unbounded(tmp_path: Path) -> None:
    row = rows(noise(write(tmp_path, {"a.weight": 0.0})))["a.weight"]
    assert row.high is None
    assert row.verdict in ("mostly noise", "open")
    assert "may be 0" in row.reason


def test_reasons_come_from_the_records(tmp_path: Path) -> None:
    why = Record(3, "a.weight", Source.NOISE, "zeta_emp", None, None, 4, "no gradient in 1 of 4")
    row = rows(noise(write(tmp_path, {}, extra=[why])))["a.weight"]
    assert row.reason == "no gradient in 1 of 4"


def directions(step: int, replicas: torch.Tensor, name: str = "a.weight") -> list[Record]:
    held = held_noise(list(replicas))
    assert held.directional is not None
    rows = held.scalar_records(step, name, examples=BATCH / len(replicas))
    return rows + directional_records(step, name, held.directional)


def spectrum(values: list[float], shape: tuple[int, int] = (60, 60)) -> torch.Tensor:
    signal = torch.zeros(shape)
    signal[range(len(values)), range(len(values))] = torch.tensor(values)
    return signal


STRONG = [200.0, 150, 110, 80, 60, 45, 33, 24]


@pytest.mark.parametrize(
    ("kind", "strength"), [(Kind.ISOTROPIC, 1.0), (Kind.ADDITIVE, 1.0), (Kind.PROPORTIONAL, 0.02)]
)
def test_kind_of_noise_and_signal_directions(tmp_path: Path, kind: Kind, strength: float) -> None:
    generator = torch.Generator().manual_seed(1)
    signal = spectrum(STRONG)
    if kind is Kind.PROPORTIONAL:
        g = proportional(signal, replicas=8, generator=generator, left=strength, right=strength)
    else:
        uneven = torch.tensor([0.3, 1.4]).repeat(30) if kind is Kind.ADDITIVE else 1.0
        g = additive(signal, replicas=8, generator=generator, row_std=uneven)
    run = write(tmp_path, {}, extra=directions(0, g))
    row = rows(noise(run))["a.weight"]
    assert row.kind is kind
    assert row.kind_samples == row.direction_samples == 1
    assert row.directions == 8
    assert row.signal_directions is not None
    assert row.signal_directions >= 6
    assert row.evenness is not None
    assert (row.evenness > 0.9) == (kind is Kind.ISOTROPIC)
    (last,) = read_directions(run)["a.weight"]
    assert last.norm == pytest.approx(g.mean(0).norm().item(), rel=1e-4)
    assert last.sigma[0] == pytest.approx(200, rel=0.1)


def test_one_sample_of_many_tells_no_kind(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(1)
    extra = []
    for step in range(5):
        signal = spectrum(STRONG, (30, 20)) if step == 4 else torch.zeros(30, 20)
        extra += directions(step, additive(signal, replicas=8, generator=generator))
    finding = noise(write(tmp_path, {}, extra=extra))
    assert rows(finding)["a.weight"].kind is Kind.UNDECIDED
    assert "kind of noise could be determined" not in finding.statement


@pytest.mark.parametrize("samples", [1, 5])
def test_few_replicas_decide_together(tmp_path: Path, samples: int) -> None:
    """Four replicas have eight patterns of signs: one sample cannot reach 5 %, five can."""
    generator = torch.Generator().manual_seed(1)
    extra = []
    for step in range(samples):
        g = additive(spectrum([60.0, 40.0], (30, 20)), replicas=4, generator=generator)
        extra += directions(step, g)
    finding = noise(write(tmp_path, {}, extra=extra))
    row = rows(finding)["a.weight"]
    if samples == 1:
        assert row.signal_directions is None
        assert any("one sample needs 6 replicas" in limit for limit in finding.limits)
    else:
        assert row.signal_directions == 2
        assert row.signal_mean is None


def test_counts_over_samples_have_an_error(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(1)
    extra = []
    for step in range(4):
        g = additive(spectrum([60.0, 40.0], (30, 20)), replicas=8, generator=generator)
        extra += directions(step, g)
    row = rows(noise(write(tmp_path, {}, extra=extra)))["a.weight"]
    assert row.signal_directions == 2
    assert row.signal_mean == pytest.approx(2, abs=0.3)
    assert row.signal_error is not None
    assert row.signal_error <= 0.3


def test_the_error_of_a_count_is_that_of_a_mean() -> None:
    three = [1.0] * 3
    samples = [
        Directions(
            *(step, 8, three, three, three, three, three, three, three, 1.0, {}, "undecided"),
            p=[1e-9] * count + [0.9] * (3 - count),
        )
        for step, count in enumerate([2, 3, 2, 1])
    ]
    counted = _directional(samples, NoiseRow(block="a", role=Role.HEAD, depth=None, shape=(3, 3)))
    assert counted["signal_mean"] == 2.0
    assert counted["signal_error"] == pytest.approx((2 / 3) ** 0.5 / 2)


def test_the_scale_of_orthogonalized_replicas(tmp_path: Path) -> None:
    """Weak directions of a factor are all noise: its scale lies above that of the gradient."""
    generator = torch.Generator().manual_seed(1)
    g = additive(spectrum([60.0, 40.0], (30, 20)), replicas=8, generator=generator)
    finding = noise(write(tmp_path, {}, extra=directions(0, g)))
    row = rows(finding)["a.weight"]
    assert row.orthogonalized_scale is not None
    assert row.noise_scale is not None
    assert row.orthogonalized_scale > row.noise_scale
    assert any("orthogonalized replicas" in limit for limit in finding.limits)


def test_what_is_not_finite_is_called_so_with_its_step(tmp_path: Path) -> None:
    bad = torch.ones(8, 30, 20)
    bad[3, 2, 1] = torch.inf
    held = held_noise(list(bad))
    assert held.reason == "not finite"
    lost = held.scalar_records(99, "a.weight")
    row = rows(noise(write(tmp_path / "all", {}, extra=lost)))["a.weight"]
    assert row.verdict is Verdict.NOT_FINITE
    assert row.reason == "not finite at step 99"
    finding = noise(write(tmp_path / "one", {"a.weight": 0.25}, extra=lost))
    row = rows(finding)["a.weight"]
    assert row.noise_scale == pytest.approx(64, rel=0.2)
    assert row.lost == (99,)
    assert finding.sign is Sign.ACT
    assert "not finite at step 99" in finding.sentence


def test_tokens_and_the_cost_of_the_batch(tmp_path: Path) -> None:
    logged = [
        Record(step, None, Source.TRAINING, name, value)
        for step in range(STEPS)
        for name, value in (("batch_size", 64.0), ("tokens", 64.0 * 128))
    ]
    finding = noise(write(tmp_path, {None: 0.25, "a.weight": 0.25}, extra=logged))
    (network,) = [group.scale for group in finding.groups if group.network]
    assert network.noise_scale == pytest.approx(64, rel=0.2)
    assert network.tokens == pytest.approx(128 * network.noise_scale)
    assert network.steps_cost == pytest.approx(2, rel=0.2)
    assert (network.steps_cost - 1) * (network.examples_cost - 1) == pytest.approx(1)
    assert "tokens" in finding.statement
    assert any("SGD" in limit for limit in finding.limits)


def test_energies_are_read_whole(tmp_path: Path) -> None:
    frame = read_energies(write(tmp_path, {None: 1.0, "a.weight": 1.0}))
    assert frame.height == 2 * STEPS
    assert frame["examples"].to_numpy() == pytest.approx(BATCH / REPLICAS)
    assert signal_to_noise_of(frame.head(2)).reason == "2 samples, 3 are needed for an interval"


def test_a_watched_training_with_accumulation_answers(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(12, 16), torch.nn.Tanh(), torch.nn.Linear(16, 12))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    generator = torch.Generator().manual_seed(0)
    with spectrain.watch(model, optimizer, tmp_path, every=1, strict=True) as run:
        for _ in range(9):
            for _ in range(4):
                x = torch.randn(16, 12, generator=generator)
                (model(x) - x.flip(-1)).square().mean().backward()
            optimizer.step()
            optimizer.zero_grad()
            run.log(batch_size=64)
    finding = noise(open_run(tmp_path))
    found = rows(finding)
    assert finding.status == "answered"
    assert all(row.batch == pytest.approx(64) for row in found.values())
    assert all(row.directions == 8 for row in found.values())


def test_an_infinite_noise_scale_hides_no_batch_size(tmp_path: Path) -> None:
    """Where no signal was found the examples of a replica are those of the other blocks."""
    lost = [
        Record(99, "b.weight", Source.NOISE, name, value, None, REPLICAS, None)
        for name, value in (("signal_power", -0.1), ("noise_power", 1.0), ("noise_scale", None))
    ]
    known = [
        Record(99, "a.weight", Source.NOISE, name, value, None, REPLICAS, None)
        for name, value in (("signal_power", 0.5), ("noise_power", 1.0), ("noise_scale", 32.0))
    ]
    frame = read_energies(write(tmp_path, {}, extra=[*lost, *known]))
    assert frame.filter(block="b.weight")["examples"].to_list() == [pytest.approx(16)]


def ordered(evidence: float, attainable: float) -> list[Record]:
    """How far the test of the passes' order came at the last step."""
    values = (("order_evidence", evidence), ("order_evidence_attainable", attainable))
    return [
        Record(STEPS - 1, None, Source.NOISE, name, value, None, REPLICAS) for name, value in values
    ]


@pytest.mark.parametrize(
    ("evidence", "attainable", "reason"),
    [(7.0, 9.0, "several losses"), (1.0, 6.8, r'pass replicas="microbatches"'), (6.8, 90.0, None)],
)
def test_passes_whose_order_matters_are_no_replicas(
    tmp_path: Path, evidence: float, attainable: float, reason: str | None
) -> None:
    """Refused beyond ln 1000 = 6.9; not told where even perfect order could not have come to it."""
    run = write(tmp_path, {"a.weight": 0.01}, extra=ordered(evidence, attainable))
    row = next(row for row in noise(run).rows if row.block == "a.weight")
    if reason is None:
        assert row.noise_scale is not None
    else:
        assert row.noise_scale is None
        assert reason in str(row.reason)
