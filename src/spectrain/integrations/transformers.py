"""Hugging Face Transformers: a ``TrainerCallback``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from spectrain.integrations.bare import bare_optimizer
from spectrain.monitor import Watch, watch

__all__ = ["WatchCallback"]


class WatchCallback(TrainerCallback):
    """Watches a ``Trainer``'s run: ``Trainer(..., callbacks=[WatchCallback("runs/mine")])``.

    The losses that the trainer logs, and the examples of a step, are recorded too. A training that
    is resumed from a checkpoint continues its run folder.

    Args:
        path: the run folder.
        options: of :func:`spectrain.watch`.
    """

    def __init__(self, path: str | Path, **options: Any) -> None:
        self._path = Path(path)
        self._options = options
        self._watch: Watch | None = None

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Begin to watch."""
        defaults: dict[str, Any] = {
            "data_parallel": args.world_size > 1,
            "start_step": state.global_step,
            "steps": state.max_steps if state.max_steps > 0 else None,
            "resume": state.global_step > 0 and self._path.exists(),
            "config": {"trainer": "transformers"},
            "replicas": "microbatches",
        }
        self._watch = watch(
            kwargs["model"],
            bare_optimizer(kwargs["optimizer"]),
            self._path,
            **(defaults | self._options),
        )

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Record the size of the batch."""
        if self._watch is not None:
            examples = args.train_batch_size * args.gradient_accumulation_steps
            self._watch.log(batch_size=examples)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Record the loss that the trainer logs: the mean since it last did."""
        if self._watch is not None and logs and "loss" in logs:
            self._watch.log(loss=float(logs["loss"]))

    def on_save(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Put the records on disk with the checkpoint, so that a resumed run has no gap."""
        if self._watch is not None:
            self._watch.flush()

    def on_train_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Finish the run."""
        if self._watch is not None:
            self._watch.__exit__(None, None, None)
            self._watch = None
