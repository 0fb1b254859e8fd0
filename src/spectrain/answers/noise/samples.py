"""Noise records as series: energies of signal and noise, and the directions of a block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log, nan

import numpy as np
import polars as pl
import torch

from spectrain.answers.phrases import plural
from spectrain.answers.series import read_series
from spectrain.answers.trend import LEVEL
from spectrain.core import Source
from spectrain.noise import NOISE_MODELS, SIGNAL_LEVEL, Estimate
from spectrain.noise.comparison import Verdict as Model
from spectrain.noise.estimate import fieller
from spectrain.noise.exchangeability import EVIDENCE
from spectrain.noise.intervals import reciprocal
from spectrain.noise.signal import FEWEST
from spectrain.records import Run

POOLED = 3
"""Samples from which on signal and noise are averaged before they are divided."""

_MODELS = {value: verdict for verdict, value in NOISE_MODELS.items()}
_ENERGIES = ("signal_power", "noise_power", "noise_scale")
_SCHEMA = {"block": pl.String, "step": pl.Int64, "replicas": pl.Float64, "examples": pl.Float64}


def why_no_replicas(run: Run) -> str | None:
    """Why the backward passes of a step may not be taken as replicas of one gradient.

    ``None`` where the loop said what they are, or where the test of their order had enough samples
    to find an effect and found none.
    """
    evidence = {
        name: float(run.metrics(source=Source.NOISE, measure=name)["value"].max() or 0.0)  # type: ignore[arg-type]
        for name in ("order_evidence", "order_evidence_attainable")
    }
    rows = run.metrics(source=Source.NOISE, measure="order_evidence")
    if rows.is_empty():
        return None
    needed = log(EVIDENCE)
    if evidence["order_evidence"] >= needed:
        return (
            "the order of the backward passes within a step predicts their gradients: they are "
            "several losses, not replicas of one"
        )
    if evidence["order_evidence_attainable"] < needed:
        return (
            f"after {rows.height} samples it is not known whether the backward passes of a step "
            'are samples of one loss; pass replicas="microbatches" to watch() if they are'
        )
    return None


def read_energies(run: Run) -> pl.DataFrame:
    """Signal and noise of every block and of the network (null) at every step that has both.

    Returns:
        Columns block, step, signal_power, noise_power (of one replica), replicas, examples (in a
        replica; null where the batch size is not known), by step.
    """
    rows = run.metrics(source=Source.NOISE).filter(
        pl.col("measure").is_in(_ENERGIES), pl.col("value").is_finite()
    )
    empty = _SCHEMA | dict.fromkeys(_ENERGIES, pl.Float64)
    if rows.is_empty() or why_no_replicas(run):
        return pl.DataFrame(schema=empty)
    values = rows.group_by("block", "step").agg(
        *(
            pl.col("value").filter(pl.col("measure") == name).mean().alias(name)
            for name in _ENERGIES
        ),
        pl.col("count").median().cast(pl.Float64).alias("replicas"),
    )
    examples = pl.col("noise_scale") * pl.col("signal_power") / pl.col("noise_power")
    return (
        values.with_columns(examples=pl.when(examples.is_finite()).then(examples))
        .filter(pl.col("signal_power").is_not_null(), pl.col("noise_power") > 0)
        .with_columns(
            examples=pl.col("examples").fill_null(pl.col("examples").median().over("step"))
        )
        .select(*empty)
        .sort("step")
    )


def read_lost(run: Run) -> Mapping[str | None, tuple[int, ...]]:
    """Steps whose replicas were not finite, of every block and of the network (``None``).

    There the signal-to-noise ratio was recorded without a value, and no energy at all.
    """
    rows = run.metrics(source=Source.NOISE).filter(pl.col("index").is_null())
    steps = rows.group_by("block", "step").agg(
        asked=(pl.col("measure") == "snr_unbiased").any(),
        known=(pl.col("measure").is_in(_ENERGIES[:2]) & pl.col("value").is_not_null()).any(),
    )
    lost: dict[str | None, list[int]] = {}
    chosen = steps.filter("asked", ~pl.col("known")).sort("step")
    for block, step in chosen.select("block", "step").iter_rows():
        lost.setdefault(block, []).append(step)
    return {block: tuple(at) for block, at in lost.items()}


def tokens_per_example(run: Run) -> float | None:
    """Tokens in an example, where the loop logged ``tokens`` and ``batch_size`` of a step."""
    tokens, examples = (
        read_series(run, Source.TRAINING, name).select("step", "value")
        for name in ("tokens", "batch_size")
    )
    both = tokens.join(examples, on="step").filter(pl.col("value_right") > 0)
    ratio = (both["value"] / both["value_right"]).median()
    return float(ratio) if isinstance(ratio, float) else None


def signal_to_noise_of(samples: pl.DataFrame) -> Estimate:
    """Signal-to-noise ratio of one replica over several samples: ratio of averages.

    Fieller's 95 % interval from the spread of the samples, from three on; before, no interval.

    Example:
        >>> frame = pl.DataFrame({"signal_power": [1.0, 2.0], "noise_power": [4.0, 8.0]})
        >>> signal_to_noise_of(frame).value
        0.25
    """
    pairs = samples.select("signal_power", "noise_power").to_numpy()
    count = len(pairs)
    signal, noise = (float(mean) for mean in pairs.mean(0))
    if count < POOLED:
        few = f"{plural(count, 'sample')}, {POOLED} are needed for an interval"
        return Estimate(signal / noise, None, None, None, count, reason=few)
    covariance = torch.from_numpy(np.cov(pairs.T) / count)
    return fieller(signal, noise, covariance, replicas=count, level=LEVEL)


def noise_scale_of(samples: pl.DataFrame) -> Estimate:
    """Noise scale over several samples, in examples where their number is known, else replicas."""
    ratio = signal_to_noise_of(samples)
    known = samples["examples"].median()
    examples = float(known) if isinstance(known, float) else 1.0
    if ratio.error is None:
        value = ratio.value
        scale = None if value is None or value <= 0 else examples / value
        return Estimate(scale, None, None, None, ratio.replicas, reason=ratio.reason)
    return reciprocal(ratio).scaled(examples)


@dataclass(frozen=True, slots=True)
class Directions:
    """The leading singular directions of one block at one step, largest first.

    Attributes:
        step: of the sample.
        replicas: number R of replicas.
        sigma: singular values of their mean.
        echo: ζ of each direction.
        echo_error: its standard error; NaN where there is none.
        left: c_L², its overlap with the truth, left.
        right: c_R².
        isotropic: echo that isotropic additive noise predicts.
        proportional: echo that noise in proportion to the signal predicts.
        norm: ‖ḡ‖_F of the whole gradient.
        values: zeta_emp, zeta_pred, eta_mult, gamma_echo, product_coupling and their like.
        kind: verdict of the model comparison.
        p: p-value of each direction against there being no signal; empty in older runs.
    """

    step: int
    replicas: int
    sigma: Sequence[float]
    echo: Sequence[float]
    echo_error: Sequence[float]
    left: Sequence[float]
    right: Sequence[float]
    isotropic: Sequence[float]
    proportional: Sequence[float]
    norm: float
    values: Mapping[str, float]
    kind: Model
    p: Sequence[float]

    @property
    def decides(self) -> bool:
        """Whether one sample of so many replicas can call a direction signal."""
        return self.replicas >= FEWEST

    @property
    def signal(self) -> int:
        """Signal directions of this sample alone; none can be called with fewer than 6 replicas."""
        return sum(p <= SIGNAL_LEVEL for p in self.p)


def read_directions(run: Run) -> Mapping[str, Sequence[Directions]]:
    """Every sample with directions of every block, by step."""
    if why_no_replicas(run):
        return {}
    rows = run.metrics(source=Source.NOISE).filter(pl.col("block").is_not_null())
    with_sigma = rows.filter(pl.col("measure") == "sigma").select("block", "step").unique()
    wanted = ("block", "step", "measure", "index", "value", "error", "count")
    table = rows.join(with_sigma, on=["block", "step"]).sort("step", "index").select(wanted)
    samples: dict[tuple[str, int], list[_Entry]] = {}
    for block, step, *entry in table.iter_rows():
        samples.setdefault((block, step), []).append(_Entry(*entry))
    directions: dict[str, list[Directions]] = {}
    for (block, step), entries in samples.items():
        directions.setdefault(block, []).append(_directions(step, entries))
    return directions


@dataclass(frozen=True, slots=True)
class _Entry:
    measure: str
    index: int | None
    value: float | None
    error: float | None
    count: int | None


def _directions(step: int, entries: Sequence[_Entry]) -> Directions:
    """One sample, of its entries in the order of their index."""
    whole = [one for one in entries if one.index is None and one.value is not None]
    values = {one.measure: one.value for one in whole if one.value is not None}
    counts = {one.measure: one.count for one in whole}
    indexed: dict[str, list[_Entry]] = {}
    for one in entries:
        if one.index is not None:
            indexed.setdefault(one.measure, []).append(one)

    def column(name: str) -> list[float]:
        return [nan if one.value is None else one.value for one in indexed.get(name, ())]

    energy = values.get("signal_power", 0.0) + _share(values, counts)
    return Directions(
        step,
        indexed["sigma"][0].count or 0,
        column("sigma"),
        column("echo"),
        [nan if one.error is None else one.error for one in indexed.get("echo", ())],
        column("overlap_left"),
        column("overlap_right"),
        column("echo_isotropic"),
        column("echo_proportional"),
        max(energy, 0.0) ** 0.5,
        values,
        _MODELS.get(values.get("noise_model", 0.0), "undecided"),
        column("signal_p"),
    )


def _share(values: Mapping[str, float], counts: Mapping[str, int | None]) -> float:
    """Noise left in the mean: of one replica over their number."""
    return values.get("noise_power", 0.0) / (counts.get("noise_power") or 1)
