"""A measure: a pure function with a name, a unit, a definition and its citation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ParamSpec, TypeVar

from spectrain.core.errors import InputError

P = ParamSpec("P")
R = TypeVar("R")


class Reduction(StrEnum):
    """How values of a measure from several replicas or ranks become one.

    ``MEAN``: the average of the values. ``MOMENTS``: the underlying sums are merged first and the
    measure taken of the merged sums. ``SAME``: every replica holds the same value.
    """

    MEAN = "mean"
    MOMENTS = "moments"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Measure:
    """A pure function of a matrix (or of its spectrum) with everything a reader must know of it.

    Attributes:
        name: the field's standard name, the same in records, pages and docs.
        unit: unit of the value; ``"1"`` where it is a plain number.
        formula: the definition, one line of mathematics.
        citation: paper and section the definition is taken from.
        reduction: how replicas are combined.
        function: what computes it.
    """

    name: str
    unit: str
    formula: str
    citation: str
    reduction: Reduction
    function: Callable[..., Any]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)


class UnknownMeasureError(InputError, KeyError):
    """A measure was asked for by a name that no registry holds."""

    __str__ = Exception.__str__


class Registry(Mapping[str, Measure]):
    """Measures by name, in the order in which they were registered.

    Registering a measure subjects it to the contract suite of its registry (see ``tests/``) and
    puts it into the glossary.
    """

    def __init__(self) -> None:
        self._measures: dict[str, Measure] = {}

    def register(
        self, *, unit: str, formula: str, citation: str, reduction: Reduction = Reduction.MEAN
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Decorator: the function's name becomes the name of the measure."""

        def add(function: Callable[P, R]) -> Callable[P, R]:
            name = function.__name__
            if name in self._measures:
                raise InputError(f"measure {name!r} is registered twice", remedy="rename one")
            self._measures[name] = Measure(name, unit, formula, citation, reduction, function)
            return function

        return add

    def __getitem__(self, name: str) -> Measure:
        try:
            return self._measures[name]
        except KeyError:
            raise UnknownMeasureError(
                f"there is no measure {name!r}", remedy=f"choose among {', '.join(self._measures)}"
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._measures)

    def __len__(self) -> int:
        return len(self._measures)
