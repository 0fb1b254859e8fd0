"""Watch a live run: probes, schedule, overhead budget, records."""

from spectrain.monitor.watch import Watch, watch

__all__ = ["Watch", "watch"]
