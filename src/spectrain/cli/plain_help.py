"""Help in plain words: types and defaults without Python's spelling."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from inspect import Parameter, signature
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import tyro

T = TypeVar("T")

_WORDS = {Path: "PATH", str: "TEXT", int: "NUMBER", float: "NUMBER"}
_UNSAID = (None, False, True, (), ("*",))
"""Defaults that say nothing, or that the text of the argument says."""


def plainly(run: Callable[..., T]) -> Callable[..., T]:
    """The function, with hints for its help: ``--out PATH`` instead of ``--out {None}|PATH``.

    Example:
        >>> def run(*, out: Path | None = None) -> None: ...
        >>> hint = plainly(run).__annotations__["out"]
        >>> get_args(hint)[1].metavar
        'PATH'
    """
    hints = get_type_hints(run, include_extras=True)

    def described(*args: Any, **kwargs: Any) -> T:
        return run(*args, **kwargs)

    given = signature(run)
    plain = {name: _hinted(hints[name], one) for name, one in given.parameters.items()}
    update_wrapper(described, run, updated=())
    del described.__wrapped__  # type: ignore[attr-defined]  # hints are looked for behind it
    described.__annotations__ = hints | plain
    described.__signature__ = given.replace(  # type: ignore[attr-defined]
        parameters=[one.replace(annotation=plain[name]) for name, one in given.parameters.items()]
    )
    return described


def _hinted(hint: Any, parameter: Parameter) -> Any:
    settings: dict[str, Any] = {}
    positional = parameter.kind is not Parameter.KEYWORD_ONLY
    if (word := _word(hint)) is not None and not positional:
        settings["metavar"] = word
    several = get_origin(hint) is Annotated and get_origin(get_args(hint)[0]) is tuple
    unsaid = several if parameter.default is Parameter.empty else parameter.default in _UNSAID
    if unsaid:
        settings["help_behavior_hint"] = ""
    return Annotated[hint, tyro.conf.arg(**settings)] if settings else hint


def _word(hint: Any) -> str | None:
    """What stands for a value of the type; ``None`` where Tyro knows better."""
    if get_origin(hint) is Annotated:
        plain, *extras = get_args(hint)
        said = any(getattr(extra, "metavar", None) for extra in extras)
        return None if said else _word(plain)
    if get_origin(hint) in (UnionType, Union):
        kept = [kind for kind in get_args(hint) if kind is not NoneType]
        return _word(kept[0]) if len(kept) == 1 else None
    if get_origin(hint) is tuple:
        word = _word(get_args(hint)[0])
        return word and f"{word} ..."
    return _WORDS.get(hint)
