"""The wall: failures stay inside, exceptions of others go through, wherever they strike."""

from __future__ import annotations

import ctypes
import gc
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest
import torch

from spectrain.core import MonitorWarning
from spectrain.monitor import guard as guarding
from spectrain.monitor.guard import Guard


class PreemptedError(Exception):
    """What a user's handler raises."""


@pytest.fixture(params=["function", "method", "any arguments"])
def handler(request: pytest.FixtureRequest) -> Iterator[None]:
    def function(number: int, frame: FrameType | None) -> None:
        raise PreemptedError

    def anything(*arguments: Any) -> None:
        raise PreemptedError

    class Holder:
        def method(self, number: int, frame: FrameType | None) -> None:
            raise PreemptedError

    kinds = {"function": function, "method": Holder().method, "any arguments": anything}
    before = signal.signal(signal.SIGUSR1, kinds[request.param])
    yield
    signal.signal(signal.SIGUSR1, before)


def strike() -> None:
    signal.raise_signal(signal.SIGUSR1)


def monitor_code(body: Callable[[], None]) -> Callable[[], None]:
    """The body as a function of the package, as which the guard takes what runs in it."""
    scope = {"__name__": "spectrain.monitor.made_up", "body": body}
    exec("def run():\n    body()\n", scope)
    return scope["run"]  # type: ignore[return-value]


def caught_and_changed() -> None:
    try:
        strike()
    except PreemptedError as error:
        raise RuntimeError("something failed") from error


@pytest.mark.usefixtures("handler")
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("body", [strike, caught_and_changed])
def test_what_a_signal_handler_raises_reaches_the_user(
    body: Callable[[], None], strict: bool
) -> None:
    guard = Guard(strict=strict)
    run = monitor_code(body)
    with pytest.raises(PreemptedError), guard("gradient"):
        run()
    assert guard.disabled == {}
    assert guard.depth == 0
    assert torch.is_grad_enabled()


@pytest.mark.usefixtures("handler")
@pytest.mark.parametrize("place", ["is_autocast_enabled", "set_grad_enabled"])
def test_also_on_the_way_in(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    original, calls = getattr(torch, place), []

    def struck(*arguments: Any) -> Any:
        value = original(*arguments)
        calls.append(place)
        if len(calls) == 1:
            strike()
        return value

    monkeypatch.setattr(guarding.torch, place, struck)
    guard = Guard()
    with pytest.raises(PreemptedError), guard("gradient"):
        pytest.fail("was not to be entered")
    assert (guard.depth, torch.is_grad_enabled()) == (0, True)


def test_what_is_put_into_the_thread_reaches_the_user() -> None:
    """As time limits do: an exception of a class that no code of the monitor's knows."""
    thread = ctypes.c_ulong(threading.get_ident())
    put = ctypes.pythonapi.PyThreadState_SetAsyncExc
    scope: dict[str, Any] = {
        "__name__": "spectrain.monitor.made_up",
        "put": put,
        "arguments": (thread, ctypes.py_object(PreemptedError)),
    }
    exec("def run():\n    put(*arguments)\n    for _ in range(10_000):\n        pass\n", scope)
    guard = Guard()
    try:
        with guard("gradient"):
            scope["run"]()
    except PreemptedError:
        assert guard.disabled == {}
        return
    pytest.fail("it was swallowed")


@pytest.mark.parametrize(
    "error", [ValueError("bad"), RuntimeError("bad"), torch.OutOfMemoryError()]
)
def test_the_monitors_own_failure_is_contained(error: Exception) -> None:
    guard = Guard()

    def fail() -> None:
        raise error

    with pytest.warns(MonitorWarning, match="gradient probe failed"), guard("gradient"):
        monitor_code(fail)()
    assert list(guard.disabled) == ["gradient"]


def test_an_exception_under_way_is_not_taken_for_a_failures_cause() -> None:
    """The loop saves amid the handling of its own signal, and the monitor fails meanwhile."""
    guard = Guard()

    def fail() -> None:
        raise ValueError("bad")

    try:
        raise PreemptedError
    except PreemptedError:
        with pytest.warns(MonitorWarning), guard("gradient"):
            monitor_code(fail)()
    assert "gradient" in guard.disabled


def test_time_counts_once_and_numerics_are_isolated() -> None:
    guard = Guard()
    with torch.autocast("cpu", dtype=torch.bfloat16), warnings.catch_warnings():
        with guard("outer"), guard("inner"):
            assert not torch.is_grad_enabled()
            assert not torch.is_autocast_enabled("cpu")
        assert torch.is_autocast_enabled("cpu")
    assert torch.is_grad_enabled()
    assert guard.seconds > 0


def test_the_garbage_collector_waits_outside_and_is_as_it_was() -> None:
    guard = Guard()
    for before in (True, False):
        (gc.enable if before else gc.disable)()
        try:
            with guard("outer"), guard("inner"):
                assert not gc.isenabled()
            assert gc.isenabled() is before
            with pytest.warns(MonitorWarning), guard("failing"):
                raise ValueError("no")
            assert gc.isenabled() is before
        finally:
            gc.enable()
