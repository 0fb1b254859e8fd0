"""Sinks: where records go beside the run folder, aggregated for dashboards."""

from spectrain.sinks.dashboard import Dashboard
from spectrain.sinks.services import mlflow, tensorboard, trackio, wandb

__all__ = ["Dashboard", "mlflow", "tensorboard", "trackio", "wandb"]
