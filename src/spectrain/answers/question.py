"""A question, and the registry of all questions.

A question is a folder of this package: what it finds, its rows, its words, its columns of the table
of blocks and its part of the page. The folder registers it; diagnosis, page, table, comparison,
terminal and reference go through the registry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Generic

import polars as pl

from spectrain.answers.finding import Finding, G, R
from spectrain.answers.sufficient import Need
from spectrain.core import Block, InputError
from spectrain.page.table import Column
from spectrain.records import Run


@dataclass(frozen=True, slots=True)
class Told:
    """One verdict for readers.

    Attributes:
        mark: a sign beside the word.
        meaning: when it is given.
    """

    mark: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Heatmap:
    """A measure by role and depth through time.

    Attributes:
        key: short name.
        title: of the chart.
        unit: what the values are, in words.
        scale: how values become colours: ``share``, ``ratio`` (centred on 1) or ``decades``.
        read: columns block, step and value of these blocks.
    """

    key: str
    title: str
    unit: str
    scale: str
    read: Callable[[Run, Sequence[Block]], pl.DataFrame]


@dataclass(frozen=True, slots=True)
class Part:
    """A question's part of the page.

    Attributes:
        title: its heading.
        body: what stands under it.
        data: for the question's script, which finds it as ``data.answers[name]``.
        over_steps: whether charts in it have steps as their axis.
    """

    title: str
    body: tuple[str, ...]
    data: Any = None
    over_steps: bool = False


@dataclass(frozen=True, slots=True)
class RoleTable(Generic[G]):
    """A table that puts the groups of several runs side by side, a row a role.

    Attributes:
        label: of the value.
        note: what it is.
        cell: the value in words, of one group.
    """

    label: str
    note: str
    cell: Callable[[G], str]


@dataclass(frozen=True, slots=True)
class Concern:
    """Why a block asks for attention.

    Attributes:
        weight: 1 where it is to be watched, 2 where something is to be done.
        text: in a few words.
    """

    weight: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question(Generic[R, G]):
    """A question with all that is made of it.

    Attributes:
        name: short, as in ``spectrain explain RUN name``.
        text: in full.
        answer: the answer, given a run and, by name, the ``blocks`` to judge.
        verdicts: every verdict that it may give of a block, and what it means.
        columns: its columns of the table of blocks, given the run.
        part: its part of the page, or ``None`` where that run has nothing for it.
        script: package whose ``page.js`` draws that part.
        concern: why a block of that row asks for attention, or ``None`` where it does not.
        heatmaps: measures by role and depth.
        compared: tables of runs side by side.
        needs: what it reads, so that too few samples can be told from other reasons.
        place: among the questions; those without one come last, in the order of registration.
    """

    name: str
    text: str
    answer: Callable[..., Finding[R, G]]
    verdicts: Mapping[Any, Told]
    columns: Callable[[Run], Sequence[Column[R]]] | None = None
    part: Callable[[Run, Sequence[Block], Finding[R, G]], Part | None] | None = None
    script: str | None = None
    concern: Callable[[R], Concern | None] | None = None
    heatmaps: tuple[Heatmap, ...] = ()
    compared: tuple[RoleTable[G], ...] = ()
    needs: Need | None = None
    place: float = inf


class Questions(Mapping[str, Question[Any, Any]]):
    """Questions by name, each in its place."""

    def __init__(self) -> None:
        self._questions: dict[str, Question[Any, Any]] = {}

    def register(self, question: Question[Any, Any]) -> None:
        """Add a question.

        Raises:
            InputError: there is one of that name.
        """
        if question.name in self._questions:
            raise InputError(
                f"the question {question.name!r} is registered twice", remedy="rename one"
            )
        self._questions[question.name] = question

    def __getitem__(self, name: str) -> Question[Any, Any]:
        if name not in self._questions:
            raise InputError(f"there is no question {name!r}", remedy=f"ask {', '.join(self)}")
        return self._questions[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._questions, key=lambda name: self._questions[name].place))

    def __len__(self) -> int:
        return len(self._questions)


QUESTIONS = Questions()
"""Every question, as pages show them."""
