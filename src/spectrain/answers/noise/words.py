"""The noise finding in plain words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from spectrain.answers.noise.row import Verdict
from spectrain.answers.phrases import among, join, plural

Rows = Sequence[Any]

NO_REPLICAS = (
    "Accumulate gradients over 3 microbatches or more, train on several ranks, or call "
    "spectrain.measure_noise on batches: these are the replicas that signal is told from noise by."
)


def finite(value: float | None) -> float | None:
    """The value, or nothing where it is infinite or undefined."""
    return None if value is None or not math.isfinite(value) else value


def statement(rows: Rows, network: Mapping[str, Any]) -> str:
    """The network's noise scale against its batch, and where noise and signal prevail."""
    judged = [row for row in rows if row["verdict"] != Verdict.UNKNOWN]
    if not judged:
        missing = join(sorted({row["reason"] for row in rows if row["reason"]}))
        return f"Not enough data for any block: {missing or 'the run has no blocks'}."
    parts = []
    if network.get("noise_scale") is not None:
        unit = network["unit"]
        parts.append(
            f"The noise scale of the whole network is {_scale(network)} {unit}; a step takes "
            f"{network['batch']:,.0f}."
        )
    count = Counter(row["verdict"] for row in judged)
    told = {
        Verdict.NOISE: "the gradient is mostly noise in",
        Verdict.SIGNAL: "mostly signal in",
        Verdict.OPEN: "about even or open in",
    }
    by = [f"{text} {count[verdict]:,}" for verdict, text in told.items() if count[verdict]]
    unknown = len(rows) - len(judged)
    missing = f" (not enough data for {unknown:,})" if unknown else ""
    parts.append(f"Of {plural(len(rows), 'block')}{missing}, {join(by)}.")
    kinds = Counter(row["kind"] for row in judged if row["kind"])
    if named := [f"{kind} in {number}" for kind, number in kinds.items() if kind != "undecided"]:
        parts.append(f"Where the kind of noise could be told, it is {join(named)}.")
    return " ".join(parts)


def confidence(judged: Rows) -> str:
    """What the intervals are."""
    windows = [row["window"] for row in judged if row["window"]]
    if not windows:
        return ""
    first, last = min(w[0] for w in windows), max(w[1] for w in windows)
    return (
        "Signal and noise are averaged over the samples before they are divided; a block is "
        "decided only where the whole 90 % interval of its noise scale (Fieller) lies on one side "
        f"of the batch size (steps {first:,} to {last:,})."
    )


def advice(judged: Rows, network: Mapping[str, Any]) -> Iterator[str]:
    """What to do."""
    if not judged:
        yield NO_REPLICAS
        return
    scale, batch = network.get("noise_scale"), network.get("batch")
    if scale and batch:
        unit = network["unit"]
        if network["verdict"] == Verdict.NOISE:
            yield (
                f"Up to about {_number(scale)} {unit} a larger batch saves steps almost in "
                f"proportion; the batch is now {batch:,.0f}."
            )
        elif network["verdict"] == Verdict.SIGNAL:
            yield (
                f"The batch of {batch:,.0f} lies above the noise scale of {_number(scale)} {unit}: "
                "a smaller one would learn as much from fewer examples."
            )
        else:
            yield f"The batch of {batch:,.0f} is about the noise scale: there is little to gain."
    if rows := [row for row in judged if row["verdict"] == Verdict.NOISE]:
        yield f"Mostly noise: {among(rows, judged)}."
    few = [
        row
        for row in judged
        if row["signal_directions"] is not None and row["signal_directions"] < row["directions"] / 2
    ]
    if few:
        yield (
            f"In {among(few, judged)} the replicas confirm fewer than half of the leading "
            "directions; orthonormalised updates give the others the same length."
        )
    plain = [row for row in judged if row["kind"] == "isotropic additive"]
    if plain:
        yield (
            f"Isotropic noise in {among(plain, judged)}: small directions are noise first, so a "
            "larger batch or an echo filter helps most there."
        )


def limits(judged: Rows) -> Iterator[str]:
    """What the answer does not cover."""
    if not judged:
        return
    yield (
        "The noise is that of the training as it ran, dropout included. The noise scale leaves the "
        "curvature out: a heuristic for batch sizes, within a factor of a few."
    )
    if any(row["unit"] == "microbatches" for row in judged):
        yield "batch_size was not logged: noise scales count microbatches."
    without = [row for row in judged if row["directions"] is None]
    if without:
        yield (
            f"No directions of {plural(len(without), 'block')}: vectors have none, others wait for "
            "their turn, and fewer than 3 replicas hold none."
        )
    elif any(row["signal_directions"] is None for row in judged):
        yield "With fewer than 4 replicas an echo has no interval: no direction is called signal."
    if any(row["kind"] == "signal-proportional" for row in judged):
        yield (
            "Overlaps alone do not tell multiplicative noise from additive noise in proportion to "
            "the signal; a coupling near 1 speaks for the former."
        )


def _scale(row: Mapping[str, Any]) -> str:
    value = _number(row["noise_scale"])
    if row["low"] is None:
        return value
    high = "∞" if row["high"] is None else _number(row["high"])
    return f"{value} ({_number(row['low'])} to {high})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
