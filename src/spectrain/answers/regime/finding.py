"""Regime: whether noise and weight decay set the scale of a block, or the signal does.

Under decoupled weight decay the norm of a block whose gradients are noise follows a path that the
optimizer's settings alone determine, and ends at an equilibrium. The recorded norm is held against
that path, from the first recorded weight on. Beside it stand the share of the gradient's energy
that earlier gradients foretell, the alignment of successive updates, and the angle by which a step
turns the block, each against what noise would make of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import log, prod, sqrt
from typing import Any

import numpy as np
import polars as pl

from spectrain.answers.finding import Finding, Label, Status
from spectrain.answers.regime import words
from spectrain.answers.regime.noise_path import Group, Path, noise_path, noise_response, read_groups
from spectrain.answers.regime.row import Verdict
from spectrain.answers.series import by_block, read_series
from spectrain.answers.untyped import Untyped, brief
from spectrain.core import Block, Role, Source
from spectrain.optim.rules import Decay
from spectrain.records import Run

TOLERANCE = 0.1
"""Relative distance of the norm from the twin's path that still counts as on it."""

FORGOTTEN = 0.1
"""Share of the initial weights in the twin's ‖W‖² below which the block has settled."""

PASSED = 0.5
"""Relaxation times before which a norm on the path says nothing: it had no time to leave."""

SIGNAL_SHARE = 0.5
"""Persistent share of the gradient's energy above which the signal drives the update."""

ENOUGH = 5
"""Fewest recorded weights."""

Samples = Mapping[str, pl.DataFrame]


def regime(run: Run, *, blocks: Sequence[Block] | None = None) -> Finding[Any, Any]:
    """Hold every block's norm against the path of its noise twin.

    A block is *signal-driven* where its norm is further than twice the tolerance from the path, or
    where more than half of its gradient's energy persists; in *equilibrium* where it is on the path
    and the initial weights are forgotten; *approaching* where it is on the path and they are not;
    *undecided* in between, and where too little time has passed to tell. The tolerance is 10 % and
    three standard deviations 1/√(2N) of a twin's norm.

    Args:
        run: an open run.
        blocks: the blocks to judge; all if not given.

    Returns:
        A finding with a row for every block and a group for every role.

    Source:
        Kosson, Messmer & Jaggi 2024, Rotational equilibrium; Velikanov et al. 2026,
        arXiv:2601.04890; formulas in :mod:`spectrain.regime`.
    """
    chosen = run.blocks if blocks is None else tuple(blocks)
    groups, series = read_groups(run), read_regime_series(run)
    rows = tuple(Untyped(_row(block, groups.get(block.parameter), series)) for block in chosen)
    judged = [row for row in rows if row["verdict"] != Verdict.UNKNOWN]
    settled = [row for row in judged if row["verdict"] != Verdict.UNDECIDED]
    status = Status.ANSWERED if settled else Status.OPEN if judged else Status.NOT_ENOUGH_DATA
    statement, advice = words.statement(rows), tuple(words.advice(judged))
    return Finding(
        name="regime",
        question="Do noise and weight decay set the scale of the weights, or does the signal?",
        status=status,
        **brief(status, statement, advice),
        statement=statement,
        confidence=words.confidence(judged),
        label=Label.TEST,
        rows=rows,
        groups=tuple(map(Untyped, _by_role(rows))),
        advice=advice,
        limits=tuple(words.limits(rows)),
    )


def read_regime_series(run: Run) -> dict[str, Samples]:
    """Norms and persistence of every block, by measure."""
    wanted = {
        "weight": (Source.WEIGHT, "frobenius_norm"),
        "update": (Source.UPDATE, "frobenius_norm"),
        "direction": (Source.DIRECTION, "frobenius_norm"),
        "gradient": (Source.GRADIENT, "frobenius_norm"),
        "persistent": (Source.GRADIENT, "persistent_energy"),
        "cosine": (Source.DIRECTION, "successive_cosine"),
        "snr": (Source.NOISE, "snr_unbiased"),
    }
    return {
        key: by_block(read_series(run, source, measure).filter(pl.col("block").is_not_null()))
        for key, (source, measure) in wanted.items()
    }


def block_path(
    block: Block, group: Group | None, series: Mapping[str, Samples]
) -> tuple[Path | None, str | None]:
    """The twin's path at the steps of the recorded weights, or why there is none."""
    weights = series["weight"].get(block.name)
    if weights is None or weights.height < ENOUGH:
        found = 0 if weights is None else weights.height
        return None, f"{found} recorded weights, {ENOUGH} are needed"
    if group is None:
        return None, "the optimizer's settings are not recorded"
    response, reason = noise_response(
        block, group, _energy(block, group, series), _variance(block, series)
    )
    if response is None or response.update is None or response.decay is None:
        return None, reason
    steps, norms = weights["step"].to_numpy(), weights["value"].to_numpy()
    initial = float(norms[0] ** 2)
    return noise_path(response.update, group, steps, initial, decay=response.decay), None


def _variance(block: Block, series: Mapping[str, Samples]) -> float | None:
    """Median mean square of a gradient's entries."""
    gradients = series["gradient"].get(block.name)
    if gradients is None or gradients.is_empty():
        return None
    return float(np.median(gradients["value"].to_numpy() ** 2)) / _entries(block)


def _entries(block: Block) -> int:
    return block.shape[0] if block.view.diagonal else prod(block.shape)


def _energy(block: Block, group: Group, series: Mapping[str, Samples]) -> float | None:
    """Median of ‖u‖² at learning rate 1."""
    directions = _directions(block, group, series)
    if directions is None:
        return None
    rates = group.at(directions["step"].to_numpy(), "learning_rate")
    known = rates > 0
    if not known.any():
        return None
    return float(np.median((directions["value"].to_numpy()[known] / rates[known]) ** 2))


def _directions(block: Block, group: Group, series: Mapping[str, Samples]) -> pl.DataFrame | None:
    """Norms of the update without decoupled decay; without any that is the update."""
    decoupled = group.rule.decay in (Decay.DECOUPLED, Decay.UNKNOWN)
    return series["direction" if decoupled else "update"].get(block.name)


def _row(block: Block, group: Group | None, series: Mapping[str, Samples]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "block": block.name,
        "role": str(block.role),
        "kind": _kind(block),
        "depth": block.depth,
        "shape": list(block.shape),
        "group": None if group is None else group.name,
        "verdict": Verdict.UNKNOWN,
        **dict.fromkeys(
            (
                *("norm", "twin", "equilibrium", "ratio", "tolerance", "entered", "relaxations"),
                *("relaxation_steps", "angle", "equilibrium_angle", "alignment", "noise_alignment"),
                *("persistent_energy", "persistent_low", "persistent_high", "snr", "samples"),
                "reason",
            )
        ),
    }
    row |= _persistence(block, group, series)
    path, reason = block_path(block, group, series)
    if path is None or group is None:
        return row | {"reason": reason}
    weights = series["weight"][block.name]
    return row | _judge(block, group, path, weights, row) | _angles(block, group, path, series)


def _judge(
    block: Block, group: Group, path: Path, weights: pl.DataFrame, row: Mapping[str, Any]
) -> dict[str, Any]:
    count = _entries(block)
    steps, norms = weights["step"].to_numpy(), weights["value"].to_numpy()
    least = np.finfo(np.float64).tiny ** 0.5  # a block that starts at zero starts on its path
    distance = np.log(np.maximum(norms, least) / np.maximum(np.sqrt(path.squared), least))
    tolerance = TOLERANCE + 3 / sqrt(2 * count) + path.spread / 2
    width = log(1 + tolerance)
    late = max(len(steps) // 3, 3)
    verdict, reason = _verdict(
        abs(float(np.median(distance[-late:]))), width, path, row["persistent_low"]
    )
    rate = group.last("learning_rate", 0.0) * group.last("weight_decay", 0.0) * path.decay
    return {
        "verdict": verdict,
        "reason": reason,
        "norm": float(norms[-1]),
        "twin": float(np.sqrt(path.squared[-1])),
        "equilibrium": words.finite(float(np.sqrt(path.equilibrium[-1]))),
        "ratio": float(np.exp(np.median(distance[-late:]))),
        "tolerance": tolerance,
        "entered": _entered(steps, distance, width, path, verdict),
        "relaxations": path.relaxations,
        "relaxation_steps": 1 / (2 * rate) if rate else None,
        "samples": len(steps),
    }


def _verdict(
    distance: float, width: float, path: Path, persistent: float | None
) -> tuple[Verdict, str | None]:
    if persistent is not None and persistent > SIGNAL_SHARE:
        return Verdict.SIGNAL_DRIVEN, None
    if distance > 2 * width:
        return Verdict.SIGNAL_DRIVEN, None
    if distance > width:
        return Verdict.UNDECIDED, "the norm is between one and two tolerances from the twin's"
    if not path.relaxations:
        return Verdict.UNDECIDED, "without weight decay there is no equilibrium"
    if path.relaxations < PASSED:
        return Verdict.UNDECIDED, f"only {path.relaxations:.2f} relaxation times have passed"
    if path.initial_share[-1] <= FORGOTTEN:
        return Verdict.EQUILIBRIUM, None
    return Verdict.APPROACHING, None


def _entered(
    steps: np.ndarray, distance: np.ndarray, width: float, path: Path, verdict: Verdict
) -> int | None:
    """First recorded step from which the block stayed in its regime."""
    if verdict is Verdict.SIGNAL_DRIVEN:
        inside = np.abs(distance) > width
    elif verdict is Verdict.EQUILIBRIUM:
        inside = (np.abs(distance) <= 2 * width) & (path.initial_share <= FORGOTTEN)
    else:
        return None
    if not inside[-1]:
        return None
    outside = np.flatnonzero(~inside)
    return int(steps[outside[-1] + 1] if len(outside) else steps[0])


def _persistence(
    block: Block, group: Group | None, series: Mapping[str, Samples]
) -> dict[str, Any]:
    """Persistent share of the gradient's energy, late in the run, with two standard errors."""
    found: dict[str, Any] = {}
    shares = series["persistent"].get(block.name)
    if shares is not None and shares.height >= ENOUGH:
        values = shares["value"].to_numpy()[-max(shares.height // 3, ENOUGH) :]
        mean, error = float(values.mean()), float(values.std(ddof=1) / sqrt(len(values)))
        found |= {
            "persistent_energy": mean,
            "persistent_low": mean - 2 * error,
            "persistent_high": mean + 2 * error,
            "snr": mean / (1 - mean) if mean < 1 else None,
        }
    replicas = series["snr"].get(block.name)
    if replicas is not None:
        found["snr"] = float(replicas["value"].to_numpy()[-max(replicas.height // 3, 1) :].mean())
    cosines = series["cosine"].get(block.name)
    if cosines is not None:
        late = cosines["value"].to_numpy()[-max(cosines.height // 3, 1) :]
        found["alignment"] = float(np.median(late))
        if group is not None and "beta1" in group.settings:
            found["noise_alignment"] = group.last("beta1", 0.9)
    return found


def _angles(
    block: Block, group: Group, path: Path, series: Mapping[str, Samples]
) -> dict[str, Any]:
    """Angle of a step late in the run, and that of the equilibrium at the same settings."""
    directions = _directions(block, group, series)
    if directions is None:
        return {}
    joined = directions.join(series["weight"][block.name], on="step", suffix="_weight").sort("step")
    if joined.is_empty():
        return {}
    late = joined.tail(max(joined.height // 3, 1))
    angle = (late["value"] / late["value_weight"]).median()
    expected = np.interp(late["step"], series["weight"][block.name]["step"], path.angle)
    return {
        "angle": angle,
        "equilibrium_angle": words.finite(float(np.median(expected))),
    }


def _kind(block: Block) -> str:
    if block.role is Role.MULTIPLIER:
        return "multiplier"
    return "vector" if block.view.diagonal else "matrix"


def _by_role(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    groups = []
    for role in dict.fromkeys(row["role"] for row in rows):
        members = [row for row in rows if row["role"] == role]
        ratios = [row["ratio"] for row in members if row["ratio"] is not None]
        groups.append(
            {
                "role": role,
                "kind": members[0]["kind"],
                "blocks": len(members),
                "ratio": float(np.median(ratios)) if ratios else None,
                "verdicts": {str(k): v for k, v in Counter(r["verdict"] for r in members).items()},
            }
        )
    return groups
