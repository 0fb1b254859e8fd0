"""Watch a live run; measure its noise, what its bulk is worth and what both steps gain."""

from spectrain.monitor.contract import PROMISES, BrokenPromiseError, check_probe, trainings_of
from spectrain.monitor.measure_bulk import measure_bulk
from spectrain.monitor.measure_noise import measure_noise
from spectrain.monitor.measure_steps import measure_steps
from spectrain.monitor.surgery import Surgery
from spectrain.monitor.watch import Watch, watch

__all__ = [
    "PROMISES",
    "BrokenPromiseError",
    "Surgery",
    "Watch",
    "check_probe",
    "measure_bulk",
    "measure_noise",
    "measure_steps",
    "trainings_of",
    "watch",
]
