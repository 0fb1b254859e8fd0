"""Watch a live run; measure its noise, what its bulk is worth and what both steps gain."""

from spectrain.monitor.measure_bulk import measure_bulk
from spectrain.monitor.measure_noise import measure_noise
from spectrain.monitor.measure_steps import measure_steps
from spectrain.monitor.surgery import Surgery
from spectrain.monitor.watch import Watch, watch

__all__ = ["Surgery", "Watch", "measure_bulk", "measure_noise", "measure_steps", "watch"]
