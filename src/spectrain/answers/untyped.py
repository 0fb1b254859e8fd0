"""Rows of the questions that still assemble them from dictionaries."""

from __future__ import annotations

from typing import Any

from spectrain.answers.finding import Sign, Status


class Untyped(dict[str, Any]):
    """A dictionary whose entries are attributes too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def brief(status: Status, statement: str, advice: tuple[str, ...]) -> dict[str, Any]:
    """Sign, sentence and action out of longer words."""
    sign = Sign.NOT_ENOUGH_DATA if status is Status.NOT_ENOUGH_DATA else Sign.WATCH
    sentence = statement.split(". ")[0].removesuffix(".") + "."
    return {"sign": sign, "sentence": sentence, "action": advice[0] if advice else ""}
