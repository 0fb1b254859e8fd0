"""Accumulation microbatches as replicas: against separate backward passes, and without a trace."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from torch import Tensor, nn

import spectrain
from spectrain.core import MonitorWarning, Source
from spectrain.monitor.probes import noise as noise_probe
from spectrain.monitor.schedule import Schedule
from spectrain.noise import NO_BATCH_SIZE, deviations, held_noise, moments, simple_noise_scale

STEPS, WIDTH, BATCH = 3, 12, 16


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(WIDTH, 16)
        self.norm = nn.LayerNorm(16)
        self.last = nn.Linear(16, WIDTH)
        self.rare = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor, *, rare: bool = False) -> Tensor:
        out = self.last(torch.relu(self.norm(self.first(x))))
        return out + self.rare(x) if rare else out


def make() -> tuple[Net, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = Net()
    return model, torch.optim.AdamW(model.parameters(), lr=1e-2)


def batch(step: int, number: int) -> Tensor:
    generator = torch.Generator().manual_seed(100 * step + number)
    return torch.randn(BATCH, WIDTH, generator=generator)


def loss_of(model: nn.Module, x: Tensor, **options: bool) -> Tensor:
    return (model(x, **options) - x.flip(-1)).square().mean()


def train(
    path: Path | None,
    *,
    accumulation: int = 5,
    clip: float | None = None,
    log: bool = True,
    micro: Callable[[Net, Tensor, int], None] | None = None,
    **options: Any,
) -> tuple[list[Tensor], Net]:
    model, optimizer = make()
    options = {"strict": True, **options}
    run = spectrain.watch(model, optimizer, path, **options) if path else None
    losses = []
    for step in range(STEPS):
        for number in range(accumulation):
            if micro:
                micro(model, batch(step, number), number)
            else:
                loss = loss_of(model, batch(step, number)) / accumulation
                loss.backward()
                losses.append(loss.detach())
        if clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        if run and log:
            run.log(batch_size=BATCH * accumulation)
        optimizer.step()
        optimizer.zero_grad()
    if run:
        run.__exit__(None, None, None)
    return losses, model


def rows(path: Path, **where: Any) -> pl.DataFrame:
    return spectrain.open_run(path).metrics(source=Source.NOISE).filter(**where)


def separate(*, accumulation: int = 5) -> list[Tensor]:
    """Replicas of the first step, each from a backward pass of its own."""
    model, _ = make()
    stack: list[Any] = []
    for number in range(accumulation):
        twin = copy.deepcopy(model)
        loss_of(twin, batch(0, number)).backward()
        stack.append(twin.last.weight.grad)
    return stack


def value(path: Path, measure: str, block: str | None = "last.weight", step: int = 0) -> float:
    frame = rows(path, measure=measure, step=step)
    (found,) = frame.filter(pl.col("block").eq_missing(block))["value"]
    return found


def test_equal_to_separate_backward_passes(tmp_path: Path) -> None:
    """Measured relative difference: 3e-7 (float32 gradients)."""
    train(tmp_path, every=1)
    held = held_noise(separate())
    for name, expected in held.measures.items():
        assert value(tmp_path, name) == pytest.approx(
            expected * (BATCH if name == "noise_scale" else 1), rel=1e-4
        )
    assert held.directional
    assert value(tmp_path, "zeta_emp") == pytest.approx(
        held.directional.plateaus.zeta_emp.value, rel=1e-3
    )
    assert set(rows(tmp_path, measure="snr_unbiased", step=0)["count"]) == {5}


def test_noise_scales_count_examples(tmp_path: Path) -> None:
    train(tmp_path, every=1)
    stack = separate()
    scale = simple_noise_scale(deviations(stack, moments(stack))).value
    assert value(tmp_path, "noise_scale") == pytest.approx(BATCH * scale, rel=1e-4)


def test_without_a_batch_size_there_is_no_noise_scale_in_examples(tmp_path: Path) -> None:
    train(tmp_path, dense=1, overhead=1e-9, log=False)
    told = rows(tmp_path, measure="noise_scale", step=0)
    assert set(told["reason"]) == {NO_BATCH_SIZE}
    assert told["value"].null_count() == len(told)


def test_the_network_is_the_sum_of_its_blocks(tmp_path: Path) -> None:
    train(tmp_path, every=1)
    for name in ("signal_power", "noise_power"):
        parts = rows(tmp_path, measure=name, step=1).filter(pl.col("block").is_not_null())
        assert value(tmp_path, name, None, 1) == pytest.approx(parts["value"].sum(), rel=1e-6)


@pytest.mark.parametrize("accumulation", [1, 2, 3, 9])
def test_training_is_the_same_to_the_last_bit(tmp_path: Path, accumulation: int) -> None:
    plain, model = train(None, accumulation=accumulation, clip=0.1)
    watched, twin = train(tmp_path, accumulation=accumulation, clip=0.1, every=1)
    assert all(torch.equal(a, b) for a, b in zip(plain, watched, strict=True))
    pairs = zip(model.parameters(), twin.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_clipping_and_loss_scales_do_not_show(tmp_path: Path) -> None:
    """The mean of the replicas has the norm of the gradient that the optimizer found."""
    train(tmp_path / "plain", every=1)
    train(tmp_path / "clipped", every=1, clip=1e-3)
    for name in ("snr_unbiased", "noise_scale", "zeta_emp", "eta_mult"):
        plain, clipped = value(tmp_path / "plain", name), value(tmp_path / "clipped", name)
        assert clipped == pytest.approx(plain, rel=1e-3)
    for folder in (tmp_path / "plain", tmp_path / "clipped"):
        gradient = spectrain.open_run(folder).metrics(
            source=Source.GRADIENT, block="last.weight", measure="frobenius_norm"
        )
        mean_square = value(folder, "signal_power") + value(folder, "noise_power") / 5
        assert mean_square == pytest.approx(gradient["value"][0] ** 2, rel=1e-5)


def test_one_backward_pass_a_step_leaves_no_noise_records(tmp_path: Path) -> None:
    train(tmp_path, accumulation=1, every=1)
    assert rows(tmp_path).is_empty()


def test_two_microbatches_give_signal_and_noise_but_no_direction(tmp_path: Path) -> None:
    train(tmp_path, accumulation=2, every=1)
    assert value(tmp_path, "noise_power") > 0
    assert rows(tmp_path, measure="sigma").is_empty()


def test_many_microbatches_are_held_as_a_few(tmp_path: Path) -> None:
    """Directions are those of sums of four, signal and noise those of all twenty."""
    train(tmp_path, accumulation=20, every=1)
    assert set(rows(tmp_path, measure="echo", step=0)["count"]) == {5}
    whole = moments(separate(accumulation=20))
    assert value(tmp_path, "noise_power") == pytest.approx(whole.variance.item(), rel=1e-4)
    assert set(rows(tmp_path, measure="noise_power", step=0)["count"]) == {20}


def test_a_block_without_gradient_in_some_microbatches_has_a_reason(tmp_path: Path) -> None:
    def micro(model: Net, x: Tensor, number: int) -> None:
        loss_of(model, x, rare=number == 2).backward()

    train(tmp_path, every=1, micro=micro)
    told = rows(tmp_path, block="rare.weight")
    assert set(told["reason"]) == {"no gradient in 4 of 5 microbatches"}
    assert value(tmp_path, "snr_unbiased") is not None


def test_two_backward_passes_in_a_microbatch_are_no_replicas(tmp_path: Path) -> None:
    def micro(model: Net, x: Tensor, number: int) -> None:
        out = model(x)
        out.square().mean().backward(retain_graph=True)
        out.mean().backward()

    train(tmp_path, every=1, micro=micro)
    told = rows(tmp_path, block="last.weight")
    assert set(told["reason"]) == {"several backward passes in one microbatch"}


def test_forward_passes_without_a_backward_pass_do_not_count(tmp_path: Path) -> None:
    def micro(model: Net, x: Tensor, number: int) -> None:
        model(x)
        loss_of(model, x).backward()

    train(tmp_path, every=1, micro=micro)
    assert value(tmp_path, "snr_unbiased") is not None


def test_closures_are_left_alone(tmp_path: Path) -> None:
    model, _ = make()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=3)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = loss_of(model, batch(0, 0))
        loss.backward()
        return loss

    with spectrain.watch(model, optimizer, tmp_path, every=1, strict=True):
        for _ in range(2):
            optimizer.step(closure)
    assert rows(tmp_path).is_empty()


def test_gradients_zeroed_between_microbatches_begin_anew(tmp_path: Path) -> None:
    def micro(model: Net, x: Tensor, number: int) -> None:
        model.zero_grad()
        loss_of(model, x).backward()

    train(tmp_path, every=1, micro=micro)
    assert rows(tmp_path).is_empty()  # one replica of each step is left


def test_not_finite_replicas_have_a_reason(tmp_path: Path) -> None:
    def micro(model: Net, x: Tensor, number: int) -> None:
        (loss_of(model, x) * (torch.inf if number == 1 else 1.0)).backward()

    with pytest.warns(MonitorWarning, match="not finite"):
        train(tmp_path, every=1, micro=micro)
    assert set(rows(tmp_path, block="last.weight", step=0)["reason"]) == {"not finite"}


def test_blocks_take_turns_under_a_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the schedule here gives each cadence all blocks in each step, one has its turn."""
    monkeypatch.setattr(Schedule, "samples", lambda self, step: self._read_all() or True)
    model, optimizer = make()
    with spectrain.watch(model, optimizer, tmp_path, dense=12, strict=True):
        for step in range(12):
            for number in range(3):
                loss_of(model, batch(step, number)).backward()
            optimizer.step()
            optimizer.zero_grad()
    held = rows(tmp_path, measure="energy_fraction").filter(pl.col("error").is_not_null())
    assert held.group_by("step").len()["len"].max() == 1  # an eighth of 4 blocks
    assert set(held["block"]) == {"first.weight", "norm.weight", "last.weight"}


def test_blocks_beyond_the_memory_are_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noise_probe, "BUFFER_BYTES", 8 * 4 * 16)
    train(tmp_path, every=1)
    held = rows(tmp_path, measure="energy_fraction").filter(pl.col("error").is_not_null())
    assert set(held["block"]) == {"norm.weight"}
    assert value(tmp_path, "noise_power") > 0
