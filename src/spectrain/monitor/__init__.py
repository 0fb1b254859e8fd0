"""Watch a live run: probes, schedule, budget; measure its noise and what its bulk is worth."""

from spectrain.monitor.measure_bulk import measure_bulk
from spectrain.monitor.measure_noise import measure_noise
from spectrain.monitor.surgery import Surgery
from spectrain.monitor.watch import Watch, watch

__all__ = ["Surgery", "Watch", "measure_bulk", "measure_noise", "watch"]
