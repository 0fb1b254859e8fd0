"""Closures: what ``optimizer.step(closure)`` evaluates, and the moment after its first call."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import update_wrapper
from types import FrameType
from typing import Any

from torch.optim import Optimizer

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
"""What an optimizer's step was called with, as its hooks get it."""


class Calls:
    """Which calls of a step are under way: a class that calls its parent's step has two at once.

    A call that an exception ended is known by its frame, which is no longer on the stack.
    """

    def __init__(self) -> None:
        self._frames: list[FrameType] = []

    def enter(self) -> bool:
        """A call begins, by its hook; returns whether it is the outermost."""
        frame = _calling(sys._getframe(1))
        while self._frames and not _encloses(self._frames[-1], frame):
            self._frames.pop()
        self._frames.append(frame)
        return len(self._frames) == 1

    def leave(self) -> bool:
        """The innermost call ends; returns whether it was the outermost."""
        if self._frames:
            self._frames.pop()
        return not self._frames


def _calling(hook: FrameType) -> FrameType:
    """The frame in which torch calls a step and its hooks."""
    frame: FrameType | None = hook
    while frame is not None and frame.f_globals.get("__name__") != Optimizer.__module__:
        frame = frame.f_back
    return frame or hook


def _encloses(outer: FrameType, inner: FrameType) -> bool:
    frame = inner.f_back
    while frame is not None and frame is not outer:
        frame = frame.f_back
    return frame is outer


def closure_of(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Callable[..., Any] | None:
    """The closure among the arguments of a step, the optimizer itself being the first."""
    closure = kwargs.get("closure", args[1] if len(args) > 1 else None)
    return closure if callable(closure) else None


def with_closure(
    args: tuple[Any, ...], kwargs: Mapping[str, Any], closure: Callable[..., Any]
) -> Arguments:
    """The same arguments with another closure."""
    if "closure" in kwargs:
        return args, {**kwargs, "closure": closure}
    return (args[0], closure, *args[2:]), dict(kwargs)


def announced(closure: Callable[..., Any], then: Callable[[], None]) -> Callable[..., Any]:
    """The closure, with ``then`` called once, after its first call.

    Example:
        >>> loud = announced(lambda: 3, lambda: print("ready"))
        >>> loud(), loud()
        ready
        (3, 3)
    """
    called = False

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        nonlocal called
        value = closure(*args, **kwargs)
        if not called:
            called = True
            then()
        return value

    return update_wrapper(wrapper, closure)
