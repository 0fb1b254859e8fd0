"""What sets runs apart: the settings that differ between them, and which differ only by a seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import polars as pl
from scipy.special import stdtrit

from spectrain.answers.series import read_series
from spectrain.core import Source
from spectrain.page.curves import MOST_POINTS, thinned
from spectrain.page.format import rounded
from spectrain.records import Run
from spectrain.report.facts import flatten

LEVEL = 0.95
"""Of the intervals over seeds."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that differs between runs.

    Attributes:
        name: dotted path in the run's manifest, without the part that all share.
        values: of every run; ``None`` where it is not set.
    """

    name: str
    values: list[str | None]


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over seeds with Student's t interval: x̄ ± t s/√n, t of n − 1 degrees of freedom."""

    mean: float
    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True)
class Band:
    """Mean curve of runs that differ by seed, with its interval at every step."""

    runs: list[int]
    steps: list[int]
    mean: list[float | None]
    low: list[float | None]
    high: list[float | None]


def differing(runs: Sequence[Run]) -> tuple[list[Setting], list[Setting]]:
    """The settings that differ, and the seeds that do.

    Looked at are the configuration, the settings of the parameter groups as the optimizers hold
    them, and the versions. What only names the run's own folder is left out; so is what a group has
    in some runs only, where it is stepped by another optimizer in the others.
    """
    flat = [dict(_settings(run)) for run in runs]
    keys = list(dict.fromkeys(key for one in flat for key in one))
    settings = [Setting(key, [one.get(key) for one in flat]) for key in keys]
    implied = _implied(settings, runs)
    apart = [
        s
        for s in settings
        if len(set(s.values)) > 1 and not _names_folder(s, runs) and s.name not in implied
    ]
    seeds = [setting for setting in apart if _is_seed(setting.name)]
    return [setting for setting in apart if setting not in seeds], seeds


def seed_groups(settings: Sequence[Setting], runs: int) -> list[list[int]]:
    """Runs whose settings are all the same, in the order of their first one.

    Example:
        >>> seed_groups([Setting("lr", ["1", "2", "1"])], 3)
        [[0, 2], [1]]
    """
    groups: dict[tuple[str | None, ...], list[int]] = {}
    for run in range(runs):
        groups.setdefault(tuple(s.values[run] for s in settings), []).append(run)
    return list(groups.values())


def interval(values: Sequence[float]) -> Interval | None:
    """Mean of the values and its 95 % interval; ``None`` for fewer than two.

    Example:
        >>> mean = interval([1.0, 2.0, 3.0])
        >>> round(mean.mean, 3), round(mean.low, 3), round(mean.high, 3)
        (2.0, -0.484, 4.484)
    """
    count = len(values)
    if count < 2:
        return None
    mean = float(np.mean(values))
    half = float(stdtrit(count - 1, (1 + LEVEL) / 2) * np.std(values, ddof=1) / sqrt(count))
    return Interval(mean, mean - half, mean + half, count)


def band(runs: Sequence[Run], members: Sequence[int], measure: str) -> Band | None:
    """Mean and interval of a logged number over runs, at the steps that all of them logged."""
    series = [
        read_series(runs[run], Source.TRAINING, measure).select("step", "value") for run in members
    ]
    if len(members) < 2 or any(one.is_empty() for one in series):
        return None
    joined = series[0].rename({"value": "0"})
    for number, one in enumerate(series[1:], start=1):
        joined = joined.join(one.rename({"value": str(number)}), on="step")
    if joined.is_empty():
        return None
    joined = joined.sort("step")
    columns = [
        thinned(measure, joined.select("step", value=pl.col(str(number))))
        for number in range(len(members))
    ]
    at = [interval([c.values[i] or 0.0 for c in columns]) for i in range(len(columns[0].steps))]
    known = [estimate for estimate in at if estimate is not None]
    assert len(known) <= MOST_POINTS
    return Band(
        list(members),
        columns[0].steps,
        [rounded(estimate.mean) for estimate in known],
        [rounded(estimate.low) for estimate in known],
        [rounded(estimate.high) for estimate in known],
    )


def _settings(run: Run) -> Iterator[tuple[str, str]]:
    manifest = run.manifest
    for part in ("config", "seeds", "versions"):
        if manifest.get(part):
            yield from flatten(manifest[part], "" if part == "config" else part)
    for group in manifest.get("groups", ()):
        name = _of_group(group)
        yield f"{name}optimizer", str(group.get("optimizer"))
        settings = group.get("settings") or {}
        yield from ((f"{name}{key}", value) for key, value in flatten(settings, ""))


def _of_group(group: Mapping[str, Any]) -> str:
    """What the names of a parameter group's settings begin with."""
    return f"{group.get('name', 'group')} "


def _implied(settings: Sequence[Setting], runs: Sequence[Run]) -> set[str]:
    """Settings that some runs lack since their group has another optimizer, or is not there."""
    groups = {_of_group(group) for run in runs for group in run.manifest.get("groups", ())}
    by_name = {setting.name: setting for setting in settings}
    others = {g for g in groups if len(set(by_name[f"{g}optimizer"].values)) > 1}
    return {
        setting.name
        for setting in settings
        if None in setting.values
        and any(setting.name.startswith(group) for group in others)
        and not setting.name.endswith(" optimizer")
    }


def _is_seed(name: str) -> bool:
    return name.startswith("seeds.") or name.rpartition(".")[2].lower().endswith("seed")


def _names_folder(setting: Setting, runs: Sequence[Run]) -> bool:
    return all(
        value is not None and value.replace("\\", "/").rstrip("/").endswith(run.path.name)
        for value, run in zip(setting.values, runs, strict=True)
    )
