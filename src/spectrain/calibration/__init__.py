"""How often answers are wrong where the truth is known: trainings through the real recorder."""

from spectrain.calibration.rates import Rate, calibrate
from spectrain.calibration.table import read, table, write

__all__ = ["Rate", "calibrate", "read", "table", "write"]
