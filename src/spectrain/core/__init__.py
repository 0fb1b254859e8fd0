"""The nouns of spectrain: block, measure, record, sink, errors."""

from spectrain.core.block import MEANINGS, Block, Composition, Feed, Role, Rule, Skipped, Tap, View
from spectrain.core.errors import InputError, MonitorWarning, RunError, SpectrainError
from spectrain.core.measure import Measure, Reduction, Registry, UnknownMeasureError
from spectrain.core.plan import Plan, Step, usual_step
from spectrain.core.quantity import OWN, QUANTITIES, Quantities, Quantity, quantities_of
from spectrain.core.record import Record, Source, SpectrumRecord
from spectrain.core.sink import Described, Sink

__all__ = [
    "MEANINGS",
    "OWN",
    "QUANTITIES",
    "Block",
    "Composition",
    "Described",
    "Feed",
    "InputError",
    "Measure",
    "MonitorWarning",
    "Plan",
    "Quantities",
    "Quantity",
    "Record",
    "Reduction",
    "Registry",
    "Role",
    "Rule",
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
    "quantities_of",
    "usual_step",
]
