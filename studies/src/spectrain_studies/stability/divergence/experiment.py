"""Watched trainings, healthy and driven: the loss, and what the records said before it rose."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Float64

from spectrain.answers.stability.finding import decide
from spectrain.answers.stability.indicators import Samples, read_indicators, watched
from spectrain.answers.stability.row import Indicator, Verdict
from spectrain.core import Source
from spectrain.monitor import watch
from spectrain.records import Run, open_run
from spectrain_studies.frame import Experiment, Outcome
from spectrain_studies.stability.config import Config
from spectrain_studies.stability.divergence.setups import DRIVES, SETUPS, Drive

Values = Float64[np.ndarray, " n"]

MEASURES = (
    *("weight/operator_norm", "weight/logit_bound", "weight/rms_gain", "update/rms_gain"),
    *("gradient/frobenius_norm", "input/frobenius_norm", "input/overflow_margin"),
    *("input/channel_kurtosis", "input/top_channel_share", "input/stream_rms"),
    *("input/max_logit", "gradient/persistent_energy"),
)
FIRST_SCALE, GROWTH = 2.0**10, 50
"""Of the gradient scaler: its start, and the steps after which it doubles."""

ASKED = 4
"""Samples from one asking of the answer to the next: its word stands until then."""

BEFORE, LAST = 32, 8
"""Losses that say what is usual, and those that are held against them."""

SCORES = (
    "gain",
    "range",
    "input",
    "stream",
    "kurtosis",
    "gradient",
    "seen",
    "turning",
    "step",
    "middle",
    "apart",
    "step per rate",
    "middle per rate",
    "loss",
    "spread",
)
"""What is followed beside the answer's verdict, each larger where it is worse.

Of the worst block: ‖W‖_op and range of the precision, over their limits; norms of the input, of the
stream and of the gradient, over the median so far; kurtosis of the channels; the largest logits
that were seen, over their limit; by how much the gradient turns against the optimizer's average of
those before; ‖ΔW x‖/‖W x‖, the same of the median block, the one over the other, and both over the
learning rate; the loss by its own past, and how unsteady it is by its own past.
"""


@dataclass(frozen=True)
class RunCase:
    """One training.

    Attributes:
        setup: name of one of :data:`~.setups.SETUPS`.
        test: whether the set-up is one on which nothing was chosen.
        drive: what is done to it.
        seed: of weights and batches.
        steps: of the run, unless the loss ceases to be finite before.
        every: steps between two samples.
    """

    setup: str
    test: bool
    drive: Drive
    seed: int
    steps: int
    every: int


def run_case(case: RunCase) -> Outcome:
    """Losses, one a step; the scores at every sample; the samples at which the answer warned."""
    with TemporaryDirectory() as folder:
        losses = _train(case, Path(folder) / "run")
        return {"losses": losses, **_read(case, open_run(Path(folder) / "run"), losses)}


def _train(case: RunCase, folder: Path) -> Values:
    """Train under watch until the end, or until the loss is not finite."""
    training = SETUPS[case.setup](case.drive, case.seed)
    generator = torch.Generator().manual_seed(1000 + case.seed)
    scaler = torch.amp.GradScaler(
        "cpu", init_scale=FIRST_SCALE, growth_interval=GROWTH, enabled="half" in case.setup
    )
    groups = [group for each in training.optimizers for group in each.param_groups]
    usual = [group["lr"] for group in groups]
    batch = max(round(training.batch * case.drive.batch), 1)
    losses = []
    with watch(
        training.model,
        training.optimizers,
        folder,
        every=case.every,
        steps=case.steps,
        measures=MEASURES,
    ) as run:
        for step in range(case.steps):
            loss = training.loss(batch, generator)
            losses.append(loss.item())
            if not np.isfinite(losses[-1]):
                break
            torch.autograd.backward(scaler.scale(loss))
            for group, rate in zip(groups, usual, strict=True):
                group["lr"] = rate * case.drive.factor(step, case.steps)
            for optimizer in training.optimizers:
                scaler.step(optimizer)
            scaler.update()
            training.model.zero_grad()
            run.log(loss=losses[-1])
    return np.asarray(losses)


def _read(case: RunCase, run: Run, losses: Values) -> dict[str, Any]:
    """What was known at each sampled step, of the worst block in it."""
    series = read_indicators(run)
    steps = pl.concat([*series["weight"].values()])["step"].unique().sort().to_numpy()
    found = {name: np.full(len(steps), np.nan) for name in SCORES}
    for name, frame in _scored(run, series):
        of_all = pl.col("score").median() if name == "middle" else pl.col("score").max()
        worst = frame.group_by("step").agg(of_all).sort("step")
        known = worst.filter(pl.col("step").is_in(steps))
        found[name][np.searchsorted(steps, known["step"])] = known["score"].to_numpy()
    found["apart"] = found["step"] - found["middle"]
    rates = np.log([case.drive.factor(int(step), case.steps) for step in steps])
    for name in ("step", "middle"):
        found[f"{name} per rate"] = found[name] - rates
    found["loss"] = np.array([stands_out(losses[: step + 1]) for step in steps])
    found["spread"] = np.array([unsteady(losses[: step + 1]) for step in steps])
    warned = np.zeros(len(steps))
    for place in range(ASKED - 1, len(steps), ASKED):
        warned[place:] = _warns(run, series, int(steps[place]))
    return {"steps": steps, "answer": warned, **found}


def _scored(run: Run, series: Mapping[str, Samples]) -> Iterator[tuple[str, pl.DataFrame]]:
    """Steps and scores of all blocks, by name: logarithms that are larger where it is worse."""
    limits = {
        "gain": Indicator.GAIN,
        "range": Indicator.RANGE,
        "seen": Indicator.SEEN,
    }
    for name, indicator in limits.items():
        yield (
            name,
            _frame(
                (one.steps, np.log(one.values / one.limit))
                for block in run.blocks
                for one in watched(block, series)
                if one.indicator is indicator and len(one.values)
            ),
        )
    turned = run.metrics(source=Source.GRADIENT, measure="persistent_energy")
    yield "turning", turned.drop_nulls("value").select("step", score=-pl.col("value"))
    for name, key in (("input", "fed"), ("stream", "stream"), ("gradient", "gradient")):
        yield name, _frame(_risen(frame) for frame in series[key].values())
    yield "kurtosis", _frame(_log(frame) for frame in series["kurtosis"].values())
    relative = _frame(
        _log(moved.join(series["gain"][name], on="step", suffix="_whole"), "value_whole")
        for name, moved in series["moved"].items()
        if name in series["gain"]
    )
    yield from (("step", relative), ("middle", relative))


def _frame(pairs: Iterable[tuple[Values, Values]]) -> pl.DataFrame:
    parts = [pl.DataFrame({"step": steps, "score": scores}) for steps, scores in pairs]
    empty = pl.DataFrame(schema={"step": pl.Float64, "score": pl.Float64})
    return pl.concat([empty, *parts]).with_columns(pl.col("step").cast(pl.Int64))


def _log(frame: pl.DataFrame, over: str | None = None) -> tuple[Values, Values]:
    """The logarithm of a measure, or of its ratio to another."""
    ratio = pl.col("value") / (1.0 if over is None else pl.col(over))
    kept = frame.select("step", score=ratio.log()).filter(pl.col("score").is_finite())
    return kept["step"].cast(pl.Float64).to_numpy(), kept["score"].to_numpy()


def _risen(frame: pl.DataFrame) -> tuple[Values, Values]:
    """How far a logarithm lies above the median of its samples so far."""
    steps, logs = _log(frame)
    past = [np.median(logs[: place + 1]) for place in range(len(logs))]
    return steps, logs - np.asarray(past)


def stands_out(losses: Values) -> float:
    """By how many robust standard deviations the last losses exceed the median before them.

    Example:
        >>> round(stands_out(np.array([*([1.0, 1.1] * 16), *(8 * [1.35])])), 1)
        4.0
    """
    before, last = losses[-BEFORE - LAST : -LAST], losses[-LAST:]
    if len(before) < BEFORE or not np.isfinite(last).all():
        return 0.0
    median = float(np.median(before))
    spread = 1.4826 * float(np.median(np.abs(before - median)))
    return float(np.median(last) - median) / max(spread, 1e-3 * abs(median), 1e-12)


def unsteady(losses: Values) -> float:
    """The logarithm of how much larger the last steps of the loss are than those before them.

    Example:
        >>> round(unsteady(np.cumsum([*(32 * [0.1, -0.1]), *(4 * [0.2, -0.2])])), 2)  # twofold
        0.69
    """
    steps = np.abs(np.diff(losses))
    before, last = steps[-BEFORE - LAST : -LAST], steps[-LAST:]
    if len(before) < BEFORE or not np.isfinite(last).all():
        return 0.0
    least = max(1e-3 * abs(float(np.median(losses))), 1e-12)
    return float(np.log(max(np.median(last), least) / max(np.median(before), least)))


def _warns(run: Run, series: Mapping[str, Samples], step: int) -> bool:
    """Whether the answer, asked at this step, calls a block growing or an alarm."""
    past = {
        key: {
            name: frame.head(int(frame["step"].search_sorted(step, "right")))
            for name, frame in frames.items()
        }
        for key, frames in series.items()
    }
    told = decide(run.blocks, past).values()
    return any(verdict in (Verdict.GROWING, Verdict.ALARM) for verdict, _ in told)


def _cases(config: Config) -> list[RunCase]:
    plan = config.divergence
    return [
        RunCase(setup, test, drive, seed, plan.steps, plan.every)
        for setup, test, seeds in plan.setups
        for drive in DRIVES
        for seed in range(seeds if drive.healthy else 1)
    ]


DIVERGENCE: Experiment[Config] = Experiment("divergence", run_case, _cases)
