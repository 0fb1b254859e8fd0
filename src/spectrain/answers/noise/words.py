"""The noise answer in plain words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from spectrain.answers.finding import Sign
from spectrain.answers.noise.row import Kind, NoiseRow, Scale, Verdict
from spectrain.answers.phrases import among, join, missing_data, plural
from spectrain.noise.signal import FEWEST

Rows = Sequence[NoiseRow]

NO_REPLICAS = "Accumulate over 3 microbatches or more, or call spectrain.measure_noise."


def finite(value: float | None) -> float | None:
    """The value, or nothing where it is infinite or undefined."""
    return None if value is None or not math.isfinite(value) else value


def not_finite(steps: Sequence[int]) -> str:
    """Which samples were not finite.

    Example:
        >>> not_finite([7]), not_finite([7, 9, 30, 31])
        ('not finite at step 7', 'not finite at 4 sampled steps, from step 7 to 31')
    """
    if len(steps) <= 3:
        return f"not finite at step {join([f'{step:,}' for step in steps])}"
    return f"not finite at {len(steps):,} sampled steps, from step {steps[0]:,} to {steps[-1]:,}"


def sign(rows: Rows, network: Scale) -> Sign:
    """What the answer asks for."""
    if network.lost or any(row.lost for row in rows):
        return Sign.ACT
    if not any(row.snr is not None for row in rows):
        return Sign.NOT_ENOUGH_DATA
    even = network.verdict is Verdict.OPEN and network.high is not None
    return Sign.GOOD if even else Sign.WATCH  # another batch is a trade-off, not a repair


def sentence(rows: Rows, network: Scale) -> str:
    """The answer in one sentence."""
    lost = network.lost or next((row.lost for row in rows if row.lost), ())
    judged = [row for row in rows if row.snr is not None]
    if not judged:
        return missing_data(rows)
    if lost:
        return f"The gradient is {not_finite(lost)}."
    count = Counter(row.verdict for row in judged)
    if network.noise_scale is None or network.batch is None:
        return (
            f"Of {plural(len(rows), 'block')}, {count[Verdict.NOISE]:,} have mostly noise in a "
            f"step's gradient and {count[Verdict.SIGNAL]:,} mostly signal."
        )
    whole = {Verdict.NOISE: "mostly noise", Verdict.SIGNAL: "mostly signal"}
    prevailing = whole.get(network.verdict, "about even in noise and signal, or undecided")
    return (
        f"A step's gradient is {prevailing}: it takes {number(network.batch)} {network.unit}, and "
        f"the noise scale of the network is {_interval(network)}."
    )


def action(rows: Rows, network: Scale) -> str:
    """The one thing to do."""
    if network.lost or any(row.lost for row in rows):
        return "Find the step whose gradient overflowed: lower the rate or the loss scale, or clip."
    judged = [row for row in rows if row.snr is not None]
    if not judged:
        return NO_REPLICAS
    return next(_of_batch(network), "Leave the batch as it is.")


def statement(rows: Rows, network: Scale) -> str:
    """The network's noise scale against its batch, and where noise and signal prevail."""
    judged = [row for row in rows if row.snr is not None]
    if not judged:
        return sentence(rows, network)
    parts = []
    if network.noise_scale is not None and network.batch is not None:
        tokens = "" if network.tokens is None else f", or {number(network.tokens)} tokens"
        parts.append(
            f"The noise scale of the whole network is {_interval(network)} {network.unit}{tokens}; "
            f"a step takes {number(network.batch)}."
        )
    count = Counter(row.verdict for row in judged)
    prevailing = {
        Verdict.NOISE: "the gradient is mostly noise in",
        Verdict.SIGNAL: "mostly signal in",
        Verdict.OPEN: "about even or open in",
    }
    by = [f"{text} {count[verdict]:,}" for verdict, text in prevailing.items() if count[verdict]]
    unknown = len(rows) - len(judged)
    missing = f" (not enough data for {unknown:,})" if unknown else ""
    parts.append(f"Of {plural(len(rows), 'block')}{missing}, {join(by)}.")
    if tested := [row for row in judged if row.signal_directions is not None]:
        total = sum(row.directions or 0 for row in tested)
        signal = sum(row.signal_directions or 0 for row in tested)
        parts.append(f"Of {total:,} leading directions, {signal:,} are more than chance.")
    kinds = Counter(row.kind for row in judged if row.kind not in (None, Kind.UNDECIDED))
    if named := [f"{kind} in {plural(blocks, 'block')}" for kind, blocks in kinds.items()]:
        parts.append(f"Where the kind of noise could be determined, it is {join(named)}.")
    return " ".join(parts)


def confidence(judged: Rows) -> str:
    """What the intervals are."""
    windows = [row.window for row in judged if row.window]
    if not windows:
        return ""
    first, last = min(w[0] for w in windows), max(w[1] for w in windows)
    return (
        "Signal and noise are averaged over the samples before they are divided; a block is "
        "decided only where the whole 95 % interval of its noise scale (Fieller) lies on one side "
        f"of the batch size (steps {first:,} to {last:,}). A direction is signal where it stands "
        "out from what the same replicas show with other signs, at 5 % for all directions of a "
        "block and all its samples together; a kind of noise is named where more than half of the "
        "samples, each with 3 signal directions or more, show it."
    )


def advice(judged: Rows, network: Scale) -> Iterator[str]:
    """What to do."""
    if not judged:
        yield NO_REPLICAS
        return
    yield from _of_batch(network)
    if rows := [row for row in judged if row.verdict is Verdict.NOISE]:
        yield f"Mostly noise: {among(rows, judged)}."
    few = [
        row
        for row in judged
        if row.signal_directions is not None and row.signal_directions < (row.directions or 0) / 2
    ]
    if few:
        yield (
            f"In {among(few, judged)} the replicas confirm fewer than half of the leading "
            "directions; orthonormalised updates give the others the same length."
        )
    plain = [row for row in judged if row.kind in (Kind.ISOTROPIC, Kind.ADDITIVE)]
    if plain:
        yield (
            f"Additive noise in {among(plain, judged)}: small directions are noise first, so a "
            "larger batch helps most there."
        )


def limits(rows: Rows, judged: Rows, network: Scale) -> Iterator[str]:
    """What the answer does not cover."""
    if lost := network.lost or next((row.lost for row in rows if row.lost), ()):
        yield f"The gradient is {not_finite(lost)}; these samples are in no average."
    if not judged:
        return
    yield (
        "The noise scale is a quantity of SGD: it leaves out curvature and optimizer, and gives a "
        "batch size within a factor of a few. The noise is that of the training as it ran, dropout "
        "included."
    )
    own = [row for row in judged if row.orthogonalized_scale is not None]
    if own:
        ratios = sorted(
            row.orthogonalized_scale / row.noise_scale
            for row in own
            if row.orthogonalized_scale is not None and row.noise_scale
        )
        if ratios:
            yield (
                "Of orthogonalized replicas, which Muon's updates are made of, the noise scale is "
                f"{number(ratios[len(ratios) // 2])} times that of SGD (median of "
                f"{plural(len(ratios), 'block')}); it holds at the size of a replica, since the "
                "factor of a mean is not the mean of factors."
            )
    if any(row.unit == "microbatches" for row in judged):
        yield "batch_size was not logged: noise scales count microbatches."
    without = [row for row in judged if row.directions is None]
    if without:
        yield (
            f"No directions of {plural(len(without), 'block')}: vectors have none, others wait for "
            "their turn, and fewer than 3 replicas give none."
        )
    if few := [row for row in judged if row.directions and row.signal_directions is None]:
        yield (
            f"Not enough data to call directions signal in {plural(len(few), 'block')}: one sample "
            f"needs {FEWEST} replicas, with 4 it takes about 5 samples."
        )
    if any(row.kind is Kind.PROPORTIONAL for row in judged):
        yield (
            "Overlaps alone do not tell multiplicative noise from additive noise in proportion to "
            "the signal; a coupling near 1 speaks for the former."
        )


def number(value: float) -> str:
    """At most three significant digits.

    Example:
        >>> number(198623.0), number(64.0), number(0.01234)
        ('199,000', '64', '0.0123')
    """
    short = float(f"{value:.3g}")
    return f"{short:,.0f}" if abs(short) >= 100 else f"{short:.3g}"


def _of_batch(network: Scale) -> Iterator[str]:
    if not network.noise_scale or not network.batch or not network.steps_cost:
        return
    scale, batch = number(network.noise_scale), number(network.batch)
    if network.verdict in (Verdict.NOISE, Verdict.SIGNAL):
        steps, examples = 2 / network.steps_cost, 2 / (network.examples_cost or 1.0)
        nearest = f"{max(round(network.noise_scale), 1):,}" if network.noise_scale < 100 else scale
        yield (
            f"A batch of {nearest} {network.unit} instead of {batch} would take "
            f"{number(steps)} times the steps and {number(examples)} times the examples, by the "
            "theory of SGD: choose by what you are short of."
        )
    elif network.high is not None:
        yield (
            f"The batch of {batch} is about the noise scale, {scale}: there is little to gain from "
            "another."
        )
    else:
        yield (
            f"The batch of {batch} cannot be judged: the noise scale is not bounded. Sample more "
            "steps, or accumulate more microbatches."
        )


def _interval(scale: Scale) -> str:
    value = number(scale.noise_scale or 0.0)
    if scale.low is None:
        return value
    high = "∞" if scale.high is None else number(scale.high)
    return f"{value} ({number(scale.low)} to {high})"
