"""The exceptions that a user of spectrain can meet."""

from __future__ import annotations

from typing import Any


class SpectrainError(Exception):
    """Base of all errors that spectrain raises on purpose."""


class InputError(SpectrainError, ValueError):
    """An input cannot be used: names the input and the remedy.

    Args:
        problem: what is wrong, naming the offending input.
        remedy: what the user can do about it.

    Example:
        >>> raise InputError("rtol is -1", remedy="pass a positive number")
        Traceback (most recent call last):
        spectrain.core.errors.InputError: rtol is -1; pass a positive number
    """

    def __init__(self, problem: str, *, remedy: str) -> None:
        super().__init__(f"{problem}; {remedy}")
        self.problem = problem
        self.remedy = remedy

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.problem, self.remedy)


def _rebuild(kind: type[InputError], problem: str, remedy: str) -> InputError:
    """Errors cross process borders by pickle, which knows no keyword arguments."""
    return kind(problem, remedy=remedy)


class RunError(InputError):
    """A run folder cannot be read or written."""


class MonitorWarning(UserWarning):
    """A probe of the monitor failed and was switched off; training goes on."""
