"""``spectrain trial``."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
import yaml
from rich.text import Text

from spectrain.cli.terminal import console, plain, table
from spectrain.core import InputError
from spectrain.page.format import number

if TYPE_CHECKING:
    from spectrain.trials import TrialResult

_COLUMNS = ("change", "loss", "95 %", "harm", "")


def run(
    factory: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODULE:FUNCTION")],
    *,
    steps: int = 1000,
    share: float | None = None,
    folder: Path | None = None,
    workers: int = 1,
    backend: str = "loky",
    plan: Path | None = None,
    json: bool = False,
) -> None:
    """Try changes of the usual optimizer set-up on short branches; adopt what gains for sure.

    The factory is an importable function without arguments that returns what `spectrain.trial`
    takes by name: model, loss_fn, batches and held_out, and optionally changes and base.

    Args:
        factory: package.module:function.
        steps: length of the run that is to be advised.
        share: of the run that the trial may cost; 0.15, or 0.4 below 2,000 steps.
        folder: where outcomes are kept, so that an interrupted trial goes on.
        workers: processes.
        backend: loky, ray or dask.
        plan: also write set-up and evidence as YAML to this file.
        json: print the result as JSON.
    """
    from spectrain.trials import trial

    given = given_by(factory)
    result = trial(
        **given, steps=steps, share=share, folder=folder, workers=workers, backend=backend
    )
    if plan is not None:
        try:
            plan.write_text(
                yaml.safe_dump(result.to_dict(), sort_keys=False, allow_unicode=True), "utf-8"
            )
        except OSError as error:
            raise InputError(
                f"the set-up cannot be written to {plan}: {error.strerror}",
                remedy="choose a file in an existing folder",
            ) from None
    if json:
        print(dumps(result.to_dict()))
    else:
        show(result)


def show(result: TrialResult) -> None:
    """Print the outcome, the effects and the notes."""
    out = console()
    out.print(Text(result.statement))
    rows = table(*_COLUMNS, numbers=("loss", "harm"))
    for one in result.effects:
        effect = one.effect
        cells = ["", "", ""]
        if effect is not None:
            interval = f"{number(effect.low, 2)}…{number(effect.high, 2)}"
            cells = [number(effect.value, 2), interval, f"{effect.harm:.0%}"]
        rows.add_row(*map(plain, (one.change.name, *cells, "adopted" if one.adopted else one.note)))
    out.print(rows)
    for note in result.notes:
        out.print(Text(note, style="dim"))
    cost = f"{result.passes:,} forward and backward passes, {result.share:.0%} of the run"
    out.print(Text(cost, style="dim"))


def given_by(factory: str) -> dict[str, Any]:
    """What a factory returns, for :func:`spectrain.trial`.

    Raises:
        InputError: there is no such function, or it returns something else.
    """
    module, _, name = factory.partition(":")
    try:
        function: Callable[[], dict[str, Any]] = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(
            f"there is no {factory!r}: {error}",
            remedy="name an importable function, as in package.module:function",
        ) from error
    given = function()
    if not isinstance(given, dict) or not {"model", "loss_fn", "batches", "held_out"} <= set(given):
        raise InputError(
            f"{factory} returns no dict with model, loss_fn, batches and held_out",
            remedy="return dict(model=…, loss_fn=…, batches=…, held_out=…)",
        )
    return given
