"""An experiment: a pure function of a case, and the cases at which a study looks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from spectrain.core import InputError
from spectrain.sweeps import Outcome

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Experiment(Generic[C]):
    """What is run, and at which cases.

    Attributes:
        name: short name, also that of the folder of its outcomes.
        run: the outcome of one case; picklable, drawing only from generators it seeds by the case.
        cases: the cases of a configuration. A case is a frozen dataclass that holds everything the
            outcome depends on.
    """

    name: str
    run: Callable[[Any], Outcome]
    cases: Callable[[C], Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Result:
    """One case and its outcome."""

    case: Any
    outcome: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.outcome[name]


@dataclass(frozen=True, slots=True)
class Results(Sequence[Result]):
    """All results of an experiment, in the order of its cases.

    Attributes:
        results: those that succeeded.
        problems: why the others failed.

    Example:
        >>> from types import SimpleNamespace as Case
        >>> results = Results(tuple(Result(Case(seed=s, arm="a"), {"loss": s}) for s in range(3)))
        >>> results.where(seed=2).only()["loss"], results.stack("loss").tolist()
        (2, [0, 1, 2])
    """

    results: tuple[Result, ...]
    problems: tuple[str, ...] = ()

    @overload
    def __getitem__(self, index: int) -> Result: ...
    @overload
    def __getitem__(self, index: slice) -> Results: ...
    def __getitem__(self, index: int | slice) -> Result | Results:
        if isinstance(index, slice):
            return Results(self.results[index], self.problems)
        return self.results[index]

    def __len__(self) -> int:
        return len(self.results)

    def __iter__(self) -> Iterator[Result]:
        return iter(self.results)

    @classmethod
    def made(cls, cases: Iterable[Any], outcome: Callable[[Any], dict[str, Any]]) -> Results:
        """Results that come from no run: those of planted worlds, in which the truth is known."""
        return cls(tuple(Result(case, outcome(case)) for case in cases))

    def where(self, **fields: Any) -> Results:
        """The results whose case has these values."""
        return Results(
            tuple(
                result
                for result in self.results
                if all(getattr(result.case, name) == value for name, value in fields.items())
            ),
            self.problems,
        )

    def only(self) -> Result:
        """The single result.

        Raises:
            InputError: there is none, or more than one.
        """
        if len(self.results) != 1:
            raise InputError(
                f"{len(self.results)} results where one is expected", remedy="select by where()"
            )
        return self.results[0]

    def stack(self, name: str) -> NDArray[Any]:
        """The outcome ``name`` of every case, along a new first axis."""
        return np.stack([np.asarray(result.outcome[name]) for result in self.results])
