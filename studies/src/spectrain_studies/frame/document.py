"""What a document states, place by place, and which claims test it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from spectrain.core import InputError

FILE = "document.yaml"
"""Beside the ``study.py`` of every study."""


class Untested(StrEnum):
    """Why no claim tests what stands at a place."""

    DEFINITION = "definition"
    ASSUMPTION = "assumption"
    PROCEDURE = "procedure"
    REFERENCE = "reference"
    PROOF = "step of a proof"
    REMARK = "remark"
    OPEN = "left open"


@dataclass(frozen=True, slots=True)
class Statement:
    """Something that a document says.

    Attributes:
        place: section, number or heading, as the document has it.
        says: what stands there, in our words.
        claims: patterns of the claims that test it, of this study or ``study/name``.
        none: why no claim does.
        why: more on that, and for what is left open what it would cost.
    """

    place: str
    says: str
    claims: tuple[str, ...] = ()
    none: Untested | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Beyond:
    """Claims on what no document says, and why they are made."""

    why: str
    claims: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """All that a document states, and the claims that go beyond it."""

    stated: tuple[Statement, ...]
    beyond: tuple[Beyond, ...]

    @property
    def places(self) -> frozenset[str]:
        """Every place, ranges of numbers given one by one."""
        own = (statement.place for statement in self.stated)
        return frozenset(name for place in own for name in {place, *numbers(place)})


def read_document(study: str) -> Document:
    """What the document of a study states; nothing of a study of our own, which has no such file.

    Raises:
        InputError: the file lacks a field, has one that is not known, or gives for a statement
            neither claims nor why there are none.

    Example:
        >>> [each.says for each in read_document("regime").stated if each.place == "equation (2)"]
        ['The update of AdamW.']
    """
    file = Path(__file__).parents[1] / study / FILE
    if not file.is_file():
        return Document((), ())
    rows = yaml.safe_load(file.read_text("utf-8"))
    return Document(
        tuple(_statement(row, file) for row in rows["stated"]),
        tuple(Beyond(row["why"], tuple(row["claims"])) for row in rows.get("beyond", ())),
    )


def _statement(row: Mapping[str, Any], file: Path) -> Statement:
    if ("claims" in row) == ("none" in row):
        raise InputError(
            f"{file.name} of {file.parent.name} has at {row.get('place')!r} claims and a reason "
            "for none, or neither",
            remedy="give one of them",
        )
    try:
        reason = Untested[row["none"].upper()] if "none" in row else None
        return Statement(**{**row, "claims": tuple(row.get("claims", ())), "none": reason})
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{file.name} of {file.parent.name} cannot be read at {row.get('place')!r}: {error}",
            remedy=f"give place, says, and claims or none: {', '.join(Untested.__members__)}",
        ) from error


def matching(patterns: Iterable[str], study: str, claims: Iterable[str]) -> dict[str, list[str]]:
    """Which of the claims each pattern means.

    Example:
        >>> matching(["fig1-*"], "toy", ["toy/fig1-a", "toy/fig2", "other/fig1-b"])
        {'fig1-*': ['toy/fig1-a']}
    """
    known = list(claims)
    return {
        pattern: [
            name
            for name in known
            if fnmatchcase(name, pattern if "/" in pattern else f"{study}/{pattern}")
        ]
        for pattern in patterns
    }


_KINDS = (
    "Appendix|Assumption|Corollary|Corollaries|Example|"
    "Figure|Lemma|Proposition|Remark|Table|Theorem"
)
_ONE = r"(?:\d+(?:\.\d+)?|[A-Z](?:\.\d+)?)\b"
_NAMED = re.compile(rf"\b({_KINDS})s? ({_ONE}(?:(?:, | and ){_ONE})*)")
_SECTION = re.compile(r"§\d+(?:\.\d+)*")
_EQUATION = re.compile(r"\(([1-9A-Z])\.(\d+)\)(?:–\(\1\.(\d+)\))?")
_PLAIN = re.compile(r"equation \(\d+\)")


def numbers(text: str) -> set[str]:
    """The numbered places that a text names, each by itself.

    Example:
        >>> sorted(numbers("§1.2, Figures 7 and 10, (4.16)–(4.18)"))
        ['(4.16)', '(4.17)', '(4.18)', 'Figure 10', 'Figure 7', '§1.2']
    """
    places = {*_SECTION.findall(text), *_PLAIN.findall(text)}
    for kind, listed in _NAMED.findall(text):
        single = kind.replace("ies", "y")
        places |= {f"{single} {one}" for one in re.findall(_ONE, listed)}
    for part, first, last in _EQUATION.findall(text):
        places |= {f"({part}.{n})" for n in range(int(first), int(last or first) + 1)}
    return places


def cites(source: str, place: str) -> bool:
    """Whether the source of a claim names a place.

    Example:
        >>> cites("Figures 14 and 15", "Figure 15")
        True
        >>> cites("§4, prediction (1)", "§4, prediction (2)")
        False
    """
    own = numbers(place)
    whole = own == {place} or not _EQUATION.sub("", place)
    return place in source or (whole and bool(own & numbers(source)))
