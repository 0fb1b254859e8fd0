"""Watch a live run: probes, schedule, overhead budget, records; measure the noise of a model."""

from spectrain.monitor.measure_noise import measure_noise
from spectrain.monitor.watch import Watch, watch

__all__ = ["Watch", "measure_noise", "watch"]
