"""``spectrain follow``."""

from __future__ import annotations

from collections.abc import Sequence
from json import dumps
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from spectrain.cli.explain import answer_lines
from spectrain.cli.fitted_table import Row, fitted
from spectrain.cli.terminal import console, plain, printable
from spectrain.page.format import number

if TYPE_CHECKING:
    from spectrain.answers import Finding
    from spectrain.records import Run

EVERY = 2.0
"""Seconds between two looks at the records."""

PATIENCE = 10.0
"""Answers are computed anew after this many times what they cost."""

_BARS = "▁▂▃▄▅▆▇█"
_WORST = 5


def run(
    path: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    *,
    json: bool = False,
) -> None:
    """Follow a run in the terminal: its loss, what the records say, the blocks that move most.

    It ends when the run does, or with Ctrl-C, which leaves the run alone.

    Args:
        path: the run folder.
        json: print what is seen now as JSON, once.
    """
    from spectrain.answers import diagnose
    from spectrain.records import State, open_run

    opened = open_run(path)
    if json:
        findings = diagnose(opened)
        print(dumps(_facts(opened, findings), allow_nan=False))
        return
    out = console()
    findings, due = [], 0.0
    with Live(console=out, auto_refresh=False, transient=False) as live:
        while True:
            over = opened.state is not State.RUNNING
            if monotonic() >= due or over:
                start = monotonic()
                findings = diagnose(opened)
                due = monotonic() + PATIENCE * (monotonic() - start)
            live.update(_view(opened, findings, out.width), refresh=True)
            if over:
                return
            sleep(EVERY)


def _facts(opened: Run, findings: Sequence[Finding[Any, Any]]) -> dict[str, Any]:
    losses = _losses(opened)
    return {
        "state": str(opened.state),
        "step": losses[-1][0] if losses else None,
        "loss": losses[-1][1] if losses else None,
        "findings": [finding.to_dict() for finding in findings],
        "blocks": [{"block": block, "relative_update": value} for block, value in worst(opened)],
    }


def _view(opened: Run, findings: Sequence[Finding[Any, Any]], width: int) -> RenderableType:
    from spectrain.answers import events

    losses = _losses(opened)
    parts: list[RenderableType] = [Text(str(opened.state), style="bold")]
    parts += [Text.assemble(("! ", "bold red"), plain(event)) for event in events(opened)]
    if losses:
        step, loss = losses[-1]
        bars = sparkline([value for _, value in losses], max(min(width - 30, 60), 10))
        parts.append(Text(f"loss {number(loss, 4)} at step {step:,}  {bars}", no_wrap=True))
    else:
        parts.append(Text("no loss is logged yet", style="dim"))
    parts += ["", *answer_lines(findings, width)]
    rows = [Row(printable(block), [number(value)]) for block, value in worst(opened)]
    if rows:
        lines = fitted(
            "moved most", ["‖ΔW‖/‖W‖"], rows, width=width, numbers=frozenset(["‖ΔW‖/‖W‖"])
        )
        parts += ["", *map(Text, lines)]
    return Group(*parts)


def _losses(opened: Run) -> list[tuple[int, float]]:
    """Steps and finite losses, in order."""
    from spectrain.answers.series import read_series
    from spectrain.core import Source
    from spectrain.records import LOSS

    rows = read_series(opened, Source.TRAINING, LOSS)
    return list(zip(rows["step"].to_list(), rows["value"].to_list(), strict=True))


def worst(opened: Run) -> list[tuple[str, float]]:
    """The blocks with the largest relative update ‖ΔW‖/‖W‖ at their last sample, largest first."""
    import polars as pl

    from spectrain.report.grids import read_relative_updates

    rows = read_relative_updates(opened, opened.blocks)
    last = rows.group_by("block", maintain_order=True).last().sort("value", descending=True)
    chosen = last.head(_WORST).select(pl.col("block").cast(pl.String), "value")
    return [(block, value) for block, value in chosen.iter_rows()]


def sparkline(values: Sequence[float], width: int) -> str:
    """A course in at most ``width`` characters, each the mean of a stretch.

    Example:
        >>> sparkline([8, 8, 6, 6, 4, 4, 1, 1], 4)
        '█▆▄▁'
    """
    stretch = -(-len(values) // width)
    parts = [values[at : at + stretch] for at in range(0, len(values), stretch)]
    means = [sum(part) / len(part) for part in parts]
    low, high = min(means), max(means)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[round((mean - low) * scale)] for mean in means)
