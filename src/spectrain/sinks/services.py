"""The services behind dashboards. Their packages are imported when a sink is made."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from spectrain.core import InputError
from spectrain.sinks.dashboard import Dashboard

PREFIX = "spectrain/"


def tensorboard(folder: str | Path, **options: Any) -> Dashboard:
    """Event files for TensorBoard.

    Args:
        folder: where they go.
        options: of :class:`Dashboard`.

    Raises:
        InputError: the package is not installed.
    """
    _package("tensorboard")
    writer = import_module("torch.utils.tensorboard").SummaryWriter(str(folder))

    def send(step: int, numbers: Mapping[str, float]) -> None:
        for name, value in numbers.items():
            writer.add_scalar(PREFIX + name, value, step)

    return Dashboard(send, writer.close, **options)


def wandb(
    run: Any = None, *, settings: Mapping[str, Any] | None = None, **options: Any
) -> Dashboard:
    """Weights & Biases; works offline as ``wandb`` itself does (``mode="offline"``).

    The numbers have an axis of their own, ``spectrain/step``, so that they never collide with the
    steps of the loop's own ``wandb.log``.

    Args:
        run: an open run, which is left open; else one is begun and finished here.
        settings: arguments of ``wandb.init`` for it.
        options: of :class:`Dashboard`.

    Raises:
        InputError: the package is not installed.
    """
    package = _package("wandb")
    own = run is None
    run = package.init(**(settings or {})) if own else run
    axis = f"{PREFIX}step"
    run.define_metric(f"{PREFIX}*", step_metric=axis)

    def send(step: int, numbers: Mapping[str, float]) -> None:
        run.log({axis: step, **_named(numbers)})

    return Dashboard(send, run.finish if own else lambda: None, **options)


def mlflow(
    run_id: str | None = None, *, tracking_uri: str | None = None, **options: Any
) -> Dashboard:
    """MLflow, on a server or in a local folder.

    Args:
        run_id: a run that exists, which is left running; else one is begun and ended here.
        tracking_uri: server or folder; MLflow's own default if not given.
        options: of :class:`Dashboard`.

    Raises:
        InputError: the package is not installed.
    """
    package = _package("mlflow")
    client = package.MlflowClient(tracking_uri=tracking_uri)
    own = run_id is None
    number = run_id or client.create_run(experiment_id="0").info.run_id

    def send(step: int, numbers: Mapping[str, float]) -> None:
        metric = import_module("mlflow.entities").Metric
        now = int(import_module("time").time() * 1000)
        metrics = [metric(name, value, now, step) for name, value in _named(numbers).items()]
        client.log_batch(number, metrics=metrics)

    return Dashboard(
        send, (lambda: client.set_terminated(number)) if own else lambda: None, **options
    )


def trackio(
    project: str, *, settings: Mapping[str, Any] | None = None, **options: Any
) -> Dashboard:
    """Trackio, which keeps its numbers on this machine.

    Args:
        project: its name.
        settings: further arguments of ``trackio.init``.
        options: of :class:`Dashboard`.

    Raises:
        InputError: the package is not installed.
    """
    package = _package("trackio")
    run = package.init(project=project, **(settings or {}))

    def send(step: int, numbers: Mapping[str, float]) -> None:
        run.log({f"{PREFIX}step": step, **_named(numbers)})

    return Dashboard(send, run.finish, **options)


def _named(numbers: Mapping[str, float]) -> dict[str, float]:
    return {PREFIX + name: value for name, value in numbers.items()}


def _package(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise InputError(
            f"the sink {name!r} needs a package that is not installed", remedy=f"pip install {name}"
        ) from error
