"""Whose exception it is: the monitor's own, or one that only struck while the monitor ran.

Python runs a signal handler between any two instructions, and so inside the monitor's code. What
the handler raises is for the training to meet.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from inspect import CO_VARARGS
from types import FrameType
from typing import Any

OWN = frozenset(
    {"spectrain", "torch", "numpy", "scipy", "polars", *sys.stdlib_module_names} - {"__main__"}
)
"""Packages whose exceptions the monitor's own code may raise."""


def foreign(error: BaseException) -> BaseException | None:
    """The exception, or the one behind it, that was not raised by what the monitor did.

    One that a signal handler raised is known by the handler's frame, which was called with the
    frame that it interrupted. One that was put into the thread from outside is known by its class,
    which no code of the monitor's could raise where it was raised.
    """
    return next((one for one in _chain(error) if _struck(one)), None)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _struck(error: BaseException) -> bool:
    frames = list(_frames(error))
    if not frames or not any(map(_is_ours, (*_callers(frames[0]), *frames))):
        return False  # it was under way before the monitor was called
    if any(map(_is_handler, frames)):
        return True
    return _is_ours(frames[-1]) and _root(type(error).__module__) not in OWN


def _frames(error: BaseException) -> Iterator[FrameType]:
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next


def _callers(frame: FrameType) -> Iterator[FrameType]:
    back = frame.f_back
    while back is not None:
        yield back
        back = back.f_back


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).startswith("spectrain.monitor.")


def _is_handler(frame: FrameType) -> bool:
    """Whether a frame was called with its caller's, as signal handlers and nothing else are."""
    return frame.f_back is not None and any(value is frame.f_back for value in _arguments(frame))


def _arguments(frame: FrameType) -> Iterator[Any]:
    code = frame.f_code
    count = code.co_argcount + code.co_kwonlyargcount
    values = frame.f_locals
    yield from (values.get(name) for name in code.co_varnames[:count])
    if code.co_flags & CO_VARARGS:
        yield from values.get(code.co_varnames[count], ())


def _root(module: Any) -> str:
    return str(module).partition(".")[0]
