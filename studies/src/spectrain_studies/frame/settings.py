"""Change individual settings of a configuration, by dotted name."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import yaml

from spectrain.core import InputError

C = TypeVar("C")


def override(config: C, assignments: Sequence[str]) -> C:
    """A configuration with other values, each given as ``name=value`` with the value in YAML.

    Raises:
        InputError: there is no such setting, or the value is of another kind.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Figure:
        ...     steps: int = 10
        >>> @dataclass(frozen=True)
        ... class Config:
        ...     fig3: Figure = Figure()
        ...     rates: tuple[float, ...] = (0.1,)
        >>> override(Config(), ["fig3.steps=20", "rates=[0.1, 0.2]"])
        Config(fig3=Figure(steps=20), rates=(0.1, 0.2))
    """
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise InputError(f"{assignment!r} sets nothing", remedy="write NAME=VALUE")
        config = _set(config, name.split("."), text, name)
    return config


def _set(config: Any, path: Sequence[str], text: str, full: str) -> Any:
    names = [field.name for field in fields(config)] if is_dataclass(config) else []
    if path[0] not in names:
        raise InputError(
            f"there is no setting {full!r}", remedy=f"choose among {', '.join(names) or 'none'}"
        )
    old = getattr(config, path[0])
    new = _set(old, path[1:], text, full) if len(path) > 1 else _like(old, text, full)
    return replace(config, **{path[0]: new})


def _like(old: Any, text: str, name: str) -> Any:
    """The value that a text stands for, as the old one's type."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{name}={text!r} is no YAML", remedy="write a plain value") from error
    if isinstance(value, list):
        value = tuple(tuple(part) if isinstance(part, list) else part for part in value)
    if isinstance(old, float) and isinstance(value, int | str) and not isinstance(value, bool):
        with suppress(ValueError):
            value = float(value)
    if old is not None and type(value) is not type(old):
        known = list(old) if isinstance(old, tuple) else old
        raise InputError(
            f"{name} is {type(old).__name__}, not {text!r}",
            remedy=f"write it as it is now: {name}={known}",
        )
    return value
