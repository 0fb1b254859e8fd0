"""The nouns of spectrain: block, measure, record, sink, errors."""

from spectrain.core.block import (
    MEANINGS,
    Block,
    Combination,
    Composition,
    Feed,
    Role,
    Skipped,
    Tap,
    View,
)
from spectrain.core.errors import InputError, MonitorWarning, RunError, SpectrainError
from spectrain.core.measure import Measure, Reduction, Registry, UnknownMeasureError
from spectrain.core.plan import Plan, Step, usual_step
from spectrain.core.quantity import OWN, QUANTITIES, Quantities, Quantity, quantities_of
from spectrain.core.record import Record, Source, SpectrumRecord
from spectrain.core.sink import Described, Sink

__all__ = [
    "Block",
    "Combination",
    "Composition",
    "Described",
    "Feed",
    "InputError",
    "Measure",
    "MonitorWarning",
    "Plan",
    "Quantity",
    "Record",
    "Reduction",
    "Registry",
    "Role",
    "RunError",
    "Sink",
    "Skipped",
    "Source",
    "SpectrainError",
    "SpectrumRecord",
    "Step",
    "Tap",
    "UnknownMeasureError",
    "View",
]
