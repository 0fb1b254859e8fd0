"""Quantities: what a recorded name stands for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from spectrain.core.errors import InputError
from spectrain.core.measure import Measure, Registry
from spectrain.core.record import Source

OWN = "this project"
"""Citation of what is defined here."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """What rows of one source and measure hold.

    Attributes:
        source: what is measured.
        measure: name of the measure.
        unit: unit of the value; ``"1"`` where it is a plain number.
        formula: the definition, one line.
        citation: paper and section, or :data:`OWN`.
        index: what the index of a row counts, where it has one.
        scaled: whether the value is in the unit of the loss as it was scaled for mixed precision.
    """

    source: Source
    measure: str
    unit: str
    formula: str
    citation: str = OWN
    index: str | None = None
    scaled: bool = False

    @property
    def name(self) -> str:
        """``source/measure``, as patterns of :func:`spectrain.watch` name it."""
        return f"{self.source}/{self.measure}"

    @classmethod
    def of(cls, measure: Measure, source: Source) -> Quantity:
        """A registered measure of the matrices of a source."""
        return cls(source, measure.name, measure.unit, measure.formula, measure.citation)


def quantities_of(registry: Registry, *sources: Source) -> tuple[Quantity, ...]:
    """Every measure of a registry, of each of the sources.

    Example:
        >>> from spectrain.matrix import MEASURES
        >>> quantities_of(MEASURES, Source.WEIGHT)[0].name
        'weight/frobenius_norm'
    """
    return tuple(Quantity.of(m, source) for source in sources for m in registry.values())


class Quantities(Mapping[str, Quantity]):
    """Quantities by ``source/measure``: every name that a run records is in here."""

    def __init__(self) -> None:
        self._quantities: dict[str, Quantity] = {}

    def add(self, quantities: Iterable[Quantity]) -> tuple[Quantity, ...]:
        """Declare quantities; several recorders may share one.

        Raises:
            InputError: a name is declared already and means something else.
        """
        declared = tuple(quantities)
        for quantity in declared:
            if self._quantities.setdefault(quantity.name, quantity) != quantity:
                raise InputError(
                    f"{quantity.name!r} is recorded already and means something else",
                    remedy="give the measure another name, or declare it alike",
                )
        return declared

    def __getitem__(self, name: str) -> Quantity:
        return self._quantities[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._quantities)

    def __len__(self) -> int:
        return len(self._quantities)


QUANTITIES = Quantities()
"""All quantities that spectrain, and what extends it, records."""
