"""Pickles read as data: containers, numbers and tensors; everything else stays inert.

A pickle names what it wants to have called. Here a name stays a name: nothing is imported and
nothing is called. What training programs keep beside their weights (options, paths, dates, scores,
objects of their own classes) becomes :class:`Fields`, which holds what the object was built from.
What would call a function of Python, torch or NumPy outside an allow-list is refused by name: such
a file was made to run code.
"""

from spectrain.checkpoint.readers.inert.stand_ins import (
    ArrayRecord,
    Fields,
    Name,
    Storage,
    TensorRecord,
)
from spectrain.checkpoint.readers.inert.unpickler import SAVE_PLAIN, InertUnpickler

__all__ = [
    "SAVE_PLAIN",
    "ArrayRecord",
    "Fields",
    "InertUnpickler",
    "Name",
    "Storage",
    "TensorRecord",
]
