"""What a page says of the run as a whole: headline, cost, what was left out, configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from spectrain.core import Block, Source
from spectrain.page.elements import counted
from spectrain.page.format import duration, number, percent, size
from spectrain.page.html import Html, element, join, name, shorten
from spectrain.records import Run

_SHOWN = 40  # names in one list


def headline(run: Run, blocks: Sequence[Block]) -> Html:
    """The run's name and its key figures."""
    return element(
        "header",
        element("p", "spectrain", class_="wordmark"),
        element("h1", name(run.path.name)),
        element("p", _sentence(run), class_="lede"),
        element(
            "dl",
            *(
                element("div", element("dt", label), element("dd", value))
                for label, value in _figures(run, blocks)
            ),
            class_="figures",
        ),
        class_="masthead",
    )


def _sentence(run: Run) -> str:
    started = str(run.manifest.get("created_at", ""))[:16].replace("T", " ")
    state = {True: "finished", False: "ended early", None: "not finished"}[
        run.summary.get("finished")
    ]
    optimizers = dict.fromkeys(group.get("optimizer") for group in run.manifest.get("groups", ()))
    parts = [*(f"{optimizer}" for optimizer in optimizers if optimizer), f"started {started} UTC"]
    return ", ".join([*parts, state])


def _figures(run: Run, blocks: Sequence[Block]) -> Iterator[tuple[str, str]]:
    gradients = run.metrics(source=Source.GRADIENT)["step"]
    training = run.metrics(source=Source.TRAINING).filter(pl.col("value").is_finite())
    yield "blocks", f"{len(blocks):,}"
    steps = run.summary.get("steps") or _reached(pl.concat([gradients, training["step"]]))
    yield "steps", f"{steps:,}"
    yield "sampled", f"{gradients.n_unique():,}"
    for measure, label in (("loss", "last loss"), ("validation_loss", "held-out loss")):
        values = training.filter(pl.col("measure") == measure)["value"]
        if len(values):
            yield label, number(values[-1])
    overhead = run.summary.get("overhead")
    if overhead is not None:
        yield "cost of watching", percent(overhead)


def _reached(steps: pl.Series) -> int:
    return int(steps.to_numpy().max(initial=-1)) + 1


def cost(run: Run) -> Html:
    """What watching cost, and what it skipped."""
    summary = run.summary
    if not summary:
        lines = ["Not known: the run has not ended, or was killed."]
    else:
        lines = list(_cost(summary))
    lines += [
        f"To stay within the disk budget, {thinned.table} keep one sample in {thinned.one_in}."
        if thinned.one_in
        else f"To stay within the disk budget, {thinned.table} keep no sample."
        for thinned in run.thinned
    ]
    if damaged := run.damaged:
        were = "was" if len(damaged) == 1 else "were"
        lines.append(f"{counted(len(damaged), 'damaged file')} {were} left out.")
    probes = summary.get("disabled_probes") or {}
    lines += [f"Failed and switched off: {probe} ({reason})." for probe, reason in probes.items()]
    return element("div", element("h3", "What watching cost"), _items(lines))


def _cost(summary: Mapping[str, Any]) -> Iterator[str]:
    overhead, budget = summary.get("overhead"), summary.get("overhead_budget")
    if overhead is not None:
        allowed = f", of {percent(budget)} allowed" if budget is not None else ""
        yield (
            f"{percent(overhead)} of the training's time{allowed}: "
            f"{duration(summary.get('monitor_seconds'))} in "
            f"{duration(summary.get('training_seconds'))}."
        )
    if "sampled_steps" in summary:
        yield (
            f"Sampled: {counted(summary['sampled_steps'], 'step')}; not sampled: "
            f"{summary.get('skipped_steps', 0):,}."
        )
    if summary.get("peak_bytes"):
        yield f"{size(summary['peak_bytes'])} of memory at most."


def skipped(run: Run) -> Html:
    """Parameters that are not blocks, by reason."""
    reasons: dict[str, list[str]] = {}
    for entry in run.skipped:
        reasons.setdefault(entry.reason, []).append(entry.parameter)
    items = [
        join(f"{shorten(reason)}: ", *_names(parameters)) for reason, parameters in reasons.items()
    ]
    return element("div", element("h3", "Left out"), _items(items or ["No parameter."]))


def _names(parameters: Sequence[str]) -> Iterator[str]:
    for position, parameter in enumerate(parameters[:_SHOWN]):
        yield ", " if position else ""
        yield name(parameter)
    if len(parameters) > _SHOWN:
        yield f" and {len(parameters) - _SHOWN:,} more"


def configuration(run: Run) -> Html:
    """What the manifest keeps of the run."""
    manifest = run.manifest
    parts = {key: manifest.get(key) for key in ("config", "seeds", "monitor", "versions", "host")}
    rows = [
        element("div", element("dt", name(key)), element("dd", shorten(text)))
        for key, text in flatten({key: part for key, part in parts.items() if part})
    ]
    return element(
        "details", element("summary", "Configuration"), element("dl", *rows, class_="config")
    )


def flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Leaves of nested data with their dotted paths.

    Example:
        >>> list(flatten({"a": {"b": 1, "c": [1, 2]}}))
        [('a.b', '1'), ('a.c', '1, 2')]
    """
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from flatten(inner, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list):
        yield prefix, ", ".join(str(inner) for inner in value)
    else:
        yield prefix, str(value)


def _items(items: Sequence[str]) -> Html:
    return element("ul", *(element("li", item) for item in items))
