"""The events of a step: which come, in which order, and how the training stands at each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import nn
from torch.optim import LBFGS, SGD, Adam, Optimizer

import spectrain
from spectrain.core import Block, Quantity, Source
from spectrain.monitor import observer as observing
from spectrain.monitor.plan import Cadence, SamplePlan
from spectrain.monitor.probes import Probe
from spectrain.monitor.sample import Sample

ORDER = ["begin", "before_update", "gradient_ready", "after_update", "detach"]


class Diary(Probe):
    """Writes down what it hears, and how weight, gradient and state stand then."""

    name = "diary"
    records = (Quantity(Source.GRADIENT, "diary", "1", "nothing"),)
    heard: ClassVar[list[str]]
    seen: ClassVar[dict[str, list[Any]]]

    def begin(self, plan: SamplePlan) -> None:
        self.heard.append("begin")

    def _note(self, event: str, optimizer: Optimizer) -> None:
        self.heard.append(event)
        weight = self.scene.parameters["weight"]
        gradient = None if weight.grad is None else weight.grad.clone()
        steps = int(optimizer.state[weight]["step"]) if "step" in optimizer.state[weight] else 0
        self.seen.setdefault(event, []).append((weight.detach().clone(), gradient, steps))

    def before_update(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        self._note("before_update", optimizer)

    def gradient_ready(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        self._note("gradient_ready", optimizer)

    def after_update(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        self._note("after_update", optimizer)

    def detach(self, sample: Sample) -> None:
        self.heard.append("detach")


@pytest.fixture(autouse=True)
def _empty() -> None:
    Diary.heard, Diary.seen = [], {}


class SharpnessAware(Optimizer):
    """Climbs along the gradient that it finds, calls the closure, and steps from where it was."""

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, {"lr": 0.1})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        if closure is None:
            raise TypeError("needs a closure")
        parameters = [p for group in self.param_groups for p in group["params"]]
        before = [p.clone() for p in parameters]
        for p in parameters:
            p.add_(p.grad, alpha=0.1)
        with torch.enable_grad():
            closure()
        for p, old in zip(parameters, before, strict=True):
            p.copy_(old - 0.1 * p.grad)


def train(
    folder: Path, kind: str, make: Callable[[Any], Optimizer], steps: int = 3, **options: Any
) -> list[torch.Tensor]:
    """Gradients in the order in which they were taken."""
    torch.manual_seed(0)
    model = nn.Linear(4, 4, bias=False)
    optimizer = make(model.parameters())
    taken: list[torch.Tensor] = []

    def closure() -> Any:
        optimizer.zero_grad()
        loss = (model(torch.ones(2, 4)) - torch.arange(4.0)).square().mean()
        loss.backward()
        taken.append(model.weight.grad.clone())
        return loss

    with spectrain.watch(model, optimizer, folder / "run", probes=[Diary], **options):
        for _ in range(steps):
            if kind == "closure":
                optimizer.step(closure)
            else:
                closure()
                optimizer.step(closure) if kind == "both" else optimizer.step()
    return taken


@pytest.mark.parametrize("kind", ["plain", "closure"])
def test_order_of_events(tmp_path: Path, kind: str) -> None:
    train(tmp_path, kind, Adam, every=1)
    assert Diary.heard == ORDER * 3 + ["begin"]


@pytest.mark.parametrize("kind", ["plain", "closure"])
def test_what_each_event_finds(tmp_path: Path, kind: str) -> None:
    """Old weights and old state until the gradient is ready, and that gradient is the step's."""
    taken = train(tmp_path, kind, Adam, every=1)
    before, ready, after = (Diary.seen[event] for event in ORDER[1:4])
    for number in range(3):
        assert torch.equal(before[number][0], ready[number][0])
        assert torch.equal(ready[number][1], taken[number])
        assert [event[number][2] for event in (before, ready, after)] == [
            number,
            number,
            number + 1,
        ]
        assert not torch.equal(after[number][0], ready[number][0])


def test_a_closure_that_is_called_often_is_ready_once(tmp_path: Path) -> None:
    taken = train(tmp_path, "closure", lambda p: LBFGS(p, max_iter=5), every=1)
    assert len(taken) > 3
    assert Diary.heard == ORDER * 3 + ["begin"]
    assert torch.equal(Diary.seen["gradient_ready"][0][1], taken[0])


def test_weights_are_read_before_an_optimizer_climbs(tmp_path: Path) -> None:
    """Sharpness-aware: the gradient that is used is the closure's, the weights are the old ones."""
    taken = train(tmp_path, "both", SharpnessAware, every=1)
    before, ready = Diary.seen["before_update"], Diary.seen["gradient_ready"]
    assert not torch.equal(before[0][0], ready[0][0])
    assert [torch.equal(ready[n][1], taken[2 * n + 1]) for n in range(3)] == [True] * 3
    frame = spectrain.open_run(tmp_path / "run").metrics("update", "frobenius_norm")
    expected = [(0.1 * taken[2 * n + 1]).norm().item() for n in range(3)]
    assert frame["value"].to_list() == pytest.approx(expected, rel=1e-5)


def test_a_closure_stays_what_it_was_between_samples(tmp_path: Path) -> None:
    """Unsampled steps hand the optimizer the very closure that the loop passed."""
    seen: list[Any] = []

    class Keeps(SGD):
        def step(self, closure: Any = None) -> Any:
            seen.append(closure)
            return super().step(closure)

    model = nn.Linear(4, 4)
    optimizer = Keeps(model.parameters(), lr=0.1)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = model(torch.ones(1, 4)).sum()
        loss.backward()
        return loss

    with spectrain.watch(model, optimizer, tmp_path / "run", every=2, dense=0):
        for _ in range(4):
            optimizer.step(closure)
    assert [one is closure for one in seen] == [False, True, False, True]


class Child(SGD):
    """Calls its parent's step, whose hooks torch runs too once any SGD was made."""

    def step(self, closure: Any = None) -> Any:
        return super().step(closure)


@pytest.mark.parametrize("kind", ["plain", "closure"])
def test_a_step_within_a_step_is_one(kind: str, tmp_path: Path) -> None:
    SGD([torch.zeros(1, requires_grad=True)])
    train(tmp_path, kind, lambda p: Child(p, lr=0.1), every=1)
    assert Diary.heard == ORDER * 3 + ["begin"]


def test_a_step_that_an_exception_ends_is_none(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Linear(4, 4, bias=False)
    optimizer = Child(model.parameters(), lr=0.1)

    def fails() -> Any:
        raise RuntimeError("no data")

    with spectrain.watch(model, optimizer, tmp_path / "run", probes=[Diary], every=1) as run:
        for _ in range(2):
            with pytest.raises(RuntimeError, match="no data"):
                optimizer.step(fails)
        assert run.step == 0
        model(torch.ones(1, 4)).sum().backward()
        optimizer.step()
        assert run.step == 1


class Rare(Diary):
    name = "rare"
    records = (Quantity(Source.GRADIENT, "rare", "1", "nothing"),)
    cadence = Cadence.RARELY


def test_a_rare_probe_hears_of_rare_samples_only(tmp_path: Path) -> None:
    """Of a dense start the first step alone."""
    torch.manual_seed(0)
    model = nn.Linear(4, 4, bias=False)
    optimizer = SGD(model.parameters(), lr=0.1)
    heard = []
    for probe in (Diary, Rare):
        probe.heard, probe.seen = [], {}
        place = tmp_path / probe.name
        with spectrain.watch(model, optimizer, place, dense=8, overhead=1.0, probes=[probe]):
            for _ in range(8):
                model(torch.ones(1, 4)).sum().backward()
                optimizer.step()
        heard.append(probe.heard.count("gradient_ready"))
    assert heard == [8, 1]


def early(closure: Any, then: Callable[[], None]) -> Any:
    """Says that the gradient is ready before the closure has run."""

    def wrapper() -> Any:
        then()
        return closure()

    return wrapper


def each_time(closure: Any, then: Callable[[], None]) -> Any:
    """Says so after every call."""

    def wrapper() -> Any:
        value = closure()
        then()
        return value

    return wrapper


def never(closure: Any, then: Callable[[], None]) -> Any:
    return closure


@pytest.mark.parametrize("changed", [early, each_time, never])
def test_a_changed_order_is_caught(
    changed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observing, "announced", changed)
    with pytest.raises(AssertionError):
        test_a_closure_that_is_called_often_is_ready_once(tmp_path)


def test_a_gradient_that_is_ready_too_late_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read when the step is over, as it once was with closures: the state is the new one."""

    def after(self: Any, optimizer: Optimizer) -> None:
        self._tell(optimizer, lambda probe: probe.gradient_ready)
        original(self, optimizer)

    original = observing.Observer.after
    monkeypatch.setattr(observing.Observer, "after", after)
    monkeypatch.setattr(observing, "announced", never)
    with pytest.raises(AssertionError):
        test_what_each_event_finds(tmp_path, "closure")
