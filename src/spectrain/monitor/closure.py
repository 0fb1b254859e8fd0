"""Closures: what ``optimizer.step(closure)`` evaluates, and the moment after its first call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import update_wrapper
from typing import Any

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
"""What an optimizer's step was called with, as its hooks get it."""


def closure_of(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Callable[..., Any] | None:
    """The closure among the arguments of a step, the optimizer itself being the first."""
    found = kwargs.get("closure", args[1] if len(args) > 1 else None)
    return found if callable(found) else None


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
