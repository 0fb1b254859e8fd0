"""The audit of updates on real runs: sound Muon, a clipped update, a rank-deficient one, AdamW."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import SGD, AdamW, Muon, Optimizer

import spectrain
from spectrain.answers import Finding, Status, audit
from spectrain.answers.audit.finding import residual_of

SHAPE = (12, 8)


def short_muon(params: list[nn.Parameter]) -> Muon:
    """A Muon whose steps someone halves behind its back."""
    muon = Muon(params, lr=0.1, weight_decay=0.0)
    before: list[Tensor] = []

    @torch.no_grad()
    def keep(*_: object) -> None:
        before[:] = [p.clone() for p in params]

    @torch.no_grad()
    def halve(*_: object) -> None:
        for old, new in zip(before, params, strict=True):
            new.lerp_(old, 0.5)

    muon.register_step_pre_hook(keep)
    muon.register_step_post_hook(halve)
    return muon


def watched(
    path: Path,
    make: Callable[[list[nn.Parameter]], Optimizer],
    *,
    inputs: Tensor | None = None,
    clip: float | None = None,
) -> Finding[Any, Any]:
    torch.manual_seed(0)
    model = nn.Linear(SHAPE[1], SHAPE[0], bias=False)
    optimizer = make(list(model.parameters()))
    generator = torch.Generator().manual_seed(1)
    with spectrain.watch(model, optimizer, path, every=1, strict=True) as run:
        for step in range(6):
            x = torch.randn(64, SHAPE[1], generator=generator) if inputs is None else inputs
            target = torch.randn(len(x), SHAPE[0], generator=generator) * (1 + step)
            loss = (model(x) - target).square().mean()
            loss.backward()
            if clip is not None:
                clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
            optimizer.zero_grad()
            run.log(loss=loss, batch_size=len(x))
    return audit(spectrain.open_run(path))


def test_a_sound_muon_is_orthogonal_and_as_long_as_intended(tmp_path: Path) -> None:
    """Muon's own quintic steps in bfloat16; measured: residual 0.2, RMS 0.92 of the intended."""
    finding = watched(tmp_path / "run", lambda p: Muon(p, lr=0.1, weight_decay=0.1))
    (row,) = finding.rows
    assert row.verdict == "orthogonal"
    assert 0.6 < row.least <= row.most < 1.3
    assert row.rms_ratio == pytest.approx(0.95, abs=0.1)
    assert row.rms == pytest.approx(row.rms_ratio * 0.1 * sqrt(1.5) * sqrt(8 / 96), rel=0.02)
    assert finding.statement.startswith("Of 1 orthogonalized update, 1 orthogonal")
    assert not finding.advice


def test_the_audit_is_the_brute_force_audit(tmp_path: Path) -> None:
    """The last step by hand: ‖UᵀU − I‖_F/√r from the weights' difference itself."""
    torch.manual_seed(0)
    model = nn.Linear(SHAPE[1], SHAPE[0], bias=False)
    optimizer = Muon(model.parameters(), lr=0.1, weight_decay=0.0)
    residuals = []
    with spectrain.watch(model, optimizer, tmp_path / "run", every=1, strict=True) as run:
        for _ in range(3):
            model(torch.randn(16, SHAPE[1])).square().mean().backward()
            before = model.weight.detach().double()
            optimizer.step()
            optimizer.zero_grad()
            update = model.weight.detach().double() - before
            unit = update * sqrt(min(SHAPE)) / update.norm()
            gram = unit.mT @ unit - torch.eye(min(SHAPE), dtype=torch.float64)
            residuals.append(gram.norm().item() / sqrt(min(SHAPE)))
            run.log(batch_size=16)
    (row,) = audit(spectrain.open_run(tmp_path / "run")).rows
    assert row.residual == pytest.approx(float(np.median(residuals)), rel=1e-3)


def test_steps_without_a_gradient_are_no_short_steps(tmp_path: Path) -> None:
    """Behind a layer of zeros the first gradients are zero, and decay leaves rounding alone."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 12, bias=False), nn.Linear(12, 8, bias=False))
    nn.init.zeros_(model.get_parameter("1.weight"))
    head = SGD(model[1].parameters(), lr=0.1)
    muon = Muon(model[0].parameters(), lr=0.02, weight_decay=0.1)
    with spectrain.watch(model, [muon, head], tmp_path / "run", every=1, strict=True) as run:
        for step in range(8):
            (model(torch.randn(64, 8)) - torch.randn(64, 8)).square().mean().backward()
            muon.step()
            if step >= 4:
                head.step()
            muon.zero_grad()
            head.zero_grad()
            run.log(batch_size=16)
    row = next(row for row in audit(spectrain.open_run(tmp_path / "run")).rows if row.spectral)
    assert (row.verdict, row.samples) == ("orthogonal", 3)


def test_shrunk_steps_are_found(tmp_path: Path) -> None:
    finding = watched(tmp_path / "run", short_muon)
    (row,) = finding.rows
    assert row.verdict == "shrunk"
    assert row.rms_ratio == pytest.approx(0.475, abs=0.05)
    assert any("Shrunk" in line for line in finding.advice)


def test_an_update_that_misses_directions_is_found(tmp_path: Path) -> None:
    """Inputs in four of eight dimensions: the momentum has rank 4, and so has the update."""
    inputs = torch.randn(64, SHAPE[1], generator=torch.Generator().manual_seed(2))
    inputs[:, 4:] = 0
    finding = watched(tmp_path / "run", lambda p: Muon(p, lr=0.1, weight_decay=0.0), inputs=inputs)
    (row,) = finding.rows
    assert row.verdict == "not orthogonal"
    assert row.below_half == 0.5
    assert 1.0 <= row.residual < 1.2  # 1 for an exact half; the quintic spread adds to it
    assert any("Not orthogonal" in line and "50%" in line for line in finding.advice)


def test_clipping_is_measured_for_any_optimizer(tmp_path: Path) -> None:
    finding = watched(tmp_path / "run", lambda p: SGD(p, lr=0.1), clip=1e-3)
    (row,) = finding.rows
    assert row.verdict == "not meant to be"
    assert row.reason == "its optimizer promises no orthogonal update"
    assert row.clipped_share == 1.0
    assert row.clipping < 0.1
    assert "scaled down before 100%" in finding.statement


def test_varying_clipping_under_muon_is_said_to_reweigh_the_momentum(tmp_path: Path) -> None:
    finding = watched(tmp_path / "run", lambda p: Muon(p, lr=0.1), clip=1e-3)
    assert any("reweighs the momentum" in line for line in finding.advice)


def test_adamw_promises_nothing(tmp_path: Path) -> None:
    finding = watched(tmp_path / "run", lambda p: AdamW(p, lr=0.1))
    assert finding.status is Status.ANSWERED
    assert finding.statement.startswith("No optimizer of this run promises orthogonal updates.")


@pytest.mark.parametrize(("values", "expected"), [([3.0, 3.0, 3.0], 0.0), ([1.0, 0.0], 1.0)])
def test_residual(values: list[float], expected: float) -> None:
    assert residual_of(np.array(values)) == pytest.approx(expected)
