"""The probes: one file each, found by being here. What is read of a training step, and when."""

from importlib import import_module
from pkgutil import iter_modules

from spectrain.monitor.plan import Cadence
from spectrain.monitor.probes.probe import PROBES, Probe, Replicas, Scene, Snapshots, register
from spectrain.monitor.sample import Sample

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = [
    "PROBES",
    "Cadence",
    "Probe",
    "Replicas",
    "Sample",
    "Scene",
    "Snapshots",
    "register",
]
