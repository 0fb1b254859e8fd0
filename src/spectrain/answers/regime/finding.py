"""Regime: whether noise and weight decay set the scale of a block, or the signal does.

Under weight decay the norm of a block whose gradients are noise follows a path that the optimizer's
settings and the size of its updates determine, and ends at an equilibrium. The recorded norm is
compared with that path, from the first recorded weight on. Beside it stand the share of the
gradient's energy that earlier gradients predict, the alignment of successive updates, and the angle
by which a step turns the block, each against what noise would make of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

import numpy as np
import polars as pl

from spectrain.answers.finding import Finding, Label, Status, about
from spectrain.answers.regime import words
from spectrain.answers.regime.judge import stand
from spectrain.answers.regime.memory import memories
from spectrain.answers.regime.row import Memory, RegimeGroup, RegimeRow, Verdict
from spectrain.answers.series import by_block, read_series
from spectrain.answers.twin import (
    ENOUGH,
    Group,
    Samples,
    Twin,
    directions,
    entries,
    read_groups,
    read_twin_series,
    twin_of,
)
from spectrain.core import Block, Role, Source
from spectrain.records import Run

QUESTION = "Do noise and weight decay set the scale of the weights, or does the signal?"


def regime(
    run: Run, *, blocks: Sequence[Block] | None = None
) -> Finding[RegimeRow, RegimeGroup | Memory]:
    """Compare every block's norm with the path of its noise twin.

    The twin has the recorded schedule, the optimizer's rule and updates of the measured size. A
    block is *signal-driven* where its norm is further than twice the tolerance above that path, or
    where more than half of its gradient's energy persists; *below its twin* where it is so far
    below: no signal moves it, but something holds it back. On the path it is in *equilibrium* where
    the first weights are forgotten and the path is at the norm of its settings, *behind its
    schedule* where the path itself is not, and *approaching* where the first weights are not
    forgotten. It is *undecided* in between, and where too little time has passed to tell. The
    tolerance is 10 %, three standard deviations 1/√(2N) of a twin's norm, and three standard errors
    of the path.

    Args:
        run: an open run.
        blocks: the blocks to judge; all if not given.

    Returns:
        A finding with a row for every block, a group for every role, and one for the timescale of
        every parameter group.

    Source:
        Kosson, Messmer & Jaggi 2024, Rotational equilibrium; Velikanov et al. 2026,
        arXiv:2601.04890; Wang & Aitchison 2024, arXiv:2405.13698, for timescales; formulas in
        :mod:`spectrain.regime`.
    """
    chosen = run.blocks if blocks is None else tuple(blocks)
    groups, series = read_groups(run), read_regime_series(run)
    normalised = any(block.role is Role.NORM for block in run.blocks)
    tied = {block.parameter for block in run.blocks if block.role is Role.MULTIPLIER}
    rows = tuple(
        _row(block, groups.get(block.parameter), series, normalised=normalised, tied=tied)
        for block in chosen
    )
    timescales = tuple(memories(run, chosen, groups))
    judged = [row for row in rows if row.verdict is not Verdict.UNKNOWN]
    settled = [row for row in judged if row.verdict is not Verdict.UNDECIDED]
    return Finding(
        name="regime",
        question=QUESTION,
        status=Status.ANSWERED if settled else Status.OPEN if judged else Status.NOT_ENOUGH_DATA,
        sign=words.sign(rows, timescales),
        sentence=words.sentence(rows, timescales),
        action=words.action(rows, timescales),
        statement=words.statement(rows, timescales),
        confidence=words.confidence(judged),
        label=Label.TEST,
        rows=rows,
        groups=(*_by_role(rows), *timescales),
        advice=tuple(words.advice(rows, timescales)),
        limits=tuple(words.limits(rows)),
    )


def read_regime_series(run: Run) -> dict[str, Samples]:
    """Norms and persistence of every block, by measure."""
    wanted = {
        "persistent": (Source.GRADIENT, "persistent_energy"),
        "cosine": (Source.DIRECTION, "successive_cosine"),
        "snr": (Source.NOISE, "snr_unbiased"),
    }
    return read_twin_series(run) | {
        key: by_block(read_series(run, source, measure).filter(pl.col("block").is_not_null()))
        for key, (source, measure) in wanted.items()
    }


def _row(
    block: Block,
    group: Group | None,
    series: Mapping[str, Samples],
    *,
    normalised: bool,
    tied: set[str],
) -> RegimeRow:
    known: dict[str, Any] = {
        **about(block),
        "kind": _kind(block),
        "normalised": scale_is_free(block.role) if normalised else None,
        "group": None if group is None else group.name,
        **_persistence(block, group, series),
    }
    twin, reason = twin_of(block, group, series)
    if twin is None or group is None:
        recorded = series["weight"].get(block.name)
        return RegimeRow(**known, reason=reason, samples=0 if recorded is None else recorded.height)
    weights = series["weight"][block.name]
    steps, norms = weights["step"].to_numpy(), weights["value"].to_numpy()
    standing = stand(
        twin,
        steps,
        norms,
        entries=entries(block),
        persistent=known.get("persistent_low"),
        tied=block.parameter in tied,
        scheduled=group.moves(),
    )
    path = twin.path
    passed = path.relaxations
    return RegimeRow(
        **known,
        **_angles(block, group, twin, series),
        verdict=standing.verdict,
        reason=standing.reason,
        norm=float(norms[-1]),
        twin=float(np.sqrt(path.squared[-1])),
        equilibrium=words.finite(float(np.sqrt(path.equilibrium[-1]))),
        ratio=standing.ratio,
        tolerance=standing.tolerance,
        measured=twin.measured,
        entered=standing.entered,
        relaxations=passed,
        relaxation_steps=float(steps[-1] - steps[0]) / passed if passed else None,
        samples=len(steps),
    )


def scale_is_free(role: Role) -> bool:
    """Whether a network that normalises does so with what blocks of this role write.

    All matrices but the head write into a residual stream or a projection that is normalised, or
    is read through one; gains and multipliers set a scale themselves.
    """
    return role not in (Role.HEAD, Role.NORM, Role.MULTIPLIER)


def _persistence(
    block: Block, group: Group | None, series: Mapping[str, Samples]
) -> dict[str, Any]:
    """Persistent share of the gradient's energy, late in the run, with two standard errors."""
    columns: dict[str, Any] = {}
    shares = series["persistent"].get(block.name)
    if shares is not None and shares.height >= ENOUGH:
        values = shares["value"].to_numpy()[-max(shares.height // 3, ENOUGH) :]
        mean, error = float(values.mean()), float(values.std(ddof=1) / sqrt(len(values)))
        columns |= {
            "persistent_energy": mean,
            "persistent_low": mean - 2 * error,
            "persistent_high": mean + 2 * error,
            "snr": mean / (1 - mean) if mean < 1 else None,
        }
    replicas = series["snr"].get(block.name)
    if replicas is not None:
        columns["snr"] = float(replicas["value"].to_numpy()[-max(replicas.height // 3, 1) :].mean())
    cosines = series["cosine"].get(block.name)
    if cosines is not None:
        late = cosines["value"].to_numpy()[-max(cosines.height // 3, 1) :]
        columns["alignment"] = float(np.median(late))
        shape = block.shape[:1] if block.view.diagonal else block.shape
        response = None if group is None else group.rule.noise(shape, 1.0)
        if response is not None:
            columns["noise_alignment"] = response.successive_cosine
    return columns


def _angles(
    block: Block, group: Group, twin: Twin, series: Mapping[str, Samples]
) -> dict[str, Any]:
    """Angle of a step late in the run, and that of the equilibrium at the same settings."""
    steps = directions(block, group, series)
    if steps is None:
        return {}
    joined = steps.join(series["weight"][block.name], on="step", suffix="_weight").sort("step")
    if joined.is_empty():
        return {}
    late = joined.tail(max(joined.height // 3, 1))
    angle = (late["value"] / late["value_weight"]).median()
    expected = np.interp(late["step"], series["weight"][block.name]["step"], twin.path.angle)
    return {
        "angle": angle,
        "equilibrium_angle": words.finite(float(np.median(expected))),
    }


def _kind(block: Block) -> str:
    if block.role is Role.MULTIPLIER:
        return "multiplier"
    return "vector" if block.view.diagonal else "matrix"


def _by_role(rows: Sequence[RegimeRow]) -> list[RegimeGroup]:
    groups = []
    for role in dict.fromkeys(row.role for row in rows):
        members = [row for row in rows if row.role == role]
        ratios = [row.ratio for row in members if row.ratio is not None]
        groups.append(
            RegimeGroup(
                role=role,
                blocks=len(members),
                kind=members[0].kind,
                ratio=float(np.median(ratios)) if ratios else None,
                verdicts={str(k): v for k, v in Counter(r.verdict for r in members).items()},
            )
        )
    return groups
