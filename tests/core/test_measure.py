"""The registry of measures."""

from __future__ import annotations

import pytest

from spectrain.core import InputError, Measure, Reduction, Registry, UnknownMeasureError


@pytest.fixture
def registry() -> Registry:
    registry = Registry()

    @registry.register(unit="1", formula="x + 1", citation="Peano 1889, §1")
    def successor(x: int) -> int:
        return x + 1

    return registry


def test_a_measure_carries_everything_about_itself(registry: Registry) -> None:
    measure = registry["successor"]
    assert isinstance(measure, Measure)
    assert (measure.unit, measure.formula, measure.citation) == ("1", "x + 1", "Peano 1889, §1")
    assert measure.reduction is Reduction.MEAN
    assert measure(1) == measure.function(1) == 2


def test_the_decorated_function_stays_a_function(registry: Registry) -> None:
    @registry.register(unit="1", formula="x − 1", citation="none", reduction=Reduction.SAME)
    def predecessor(x: int) -> int:
        return x - 1

    assert predecessor(1) == 0
    assert registry["predecessor"].reduction is Reduction.SAME


def test_order_is_that_of_registration(registry: Registry) -> None:
    @registry.register(unit="1", formula="x", citation="none")
    def identity(x: int) -> int:
        return x

    assert list(registry) == ["successor", "identity"]
    assert len(registry) == 2


def test_a_name_is_taken_once(registry: Registry) -> None:
    def successor(x: int) -> int:
        return x

    with pytest.raises(InputError, match="'successor' is registered twice; rename one"):
        registry.register(unit="1", formula="x", citation="none")(successor)


def test_an_unknown_name_lists_the_known_ones(registry: Registry) -> None:
    with pytest.raises(UnknownMeasureError, match="no measure 'sucessor'; choose among successor"):
        registry["sucessor"]
    assert registry.get("sucessor") is None
    assert "sucessor" not in registry
