"""Lightning: a ``Callback``."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from spectrain.integrations.bare import bare_optimizer
from spectrain.monitor import Watch, watch

__all__ = ["WatchCallback"]


class WatchCallback(Callback):
    """Watches a Lightning run: ``Trainer(callbacks=[WatchCallback("runs/mine")])``.

    Args:
        path: the run folder.
        options: of :func:`spectrain.watch`.
    """

    def __init__(self, path: str | Path, **options: Any) -> None:
        self._path = Path(path)
        self._options = options
        self._watch: Watch | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin to watch."""
        defaults: dict[str, Any] = {
            "data_parallel": trainer.world_size > 1,
            "start_step": trainer.global_step,
            "steps": _length(trainer),
            "resume": trainer.global_step > 0 and self._path.exists(),
            "config": {"trainer": "lightning"},
            "replicas": "microbatches" if pl_module.automatic_optimization else "tested",
        }
        self._watch = watch(
            pl_module,
            [bare_optimizer(optimizer) for optimizer in trainer.optimizers],
            self._path,
            **(defaults | self._options),
        )

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """A step begins: Lightning calls no forward of the module itself."""
        if self._watch is not None:
            self._watch.begin()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Record the loss that the training step returned."""
        loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
        if self._watch is not None and isinstance(loss, Tensor):
            self._watch.log(loss=loss)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Put the records on disk with the checkpoint, so that a resumed run has no gap."""
        if self._watch is not None:
            self._watch.flush()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Finish the run."""
        self._end(None)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Finish the run as one that failed."""
        self._end(exception)

    def _end(self, error: BaseException | None) -> None:
        if self._watch is not None:
            kind = None if error is None else type(error)
            self._watch.__exit__(kind, error, None)
            self._watch = None


def _length(trainer: Trainer) -> int | None:
    """Optimizer steps of the run, where the trainer knows them."""
    steps = trainer.estimated_stepping_batches
    return int(steps) if isfinite(steps) and steps > 0 else None
