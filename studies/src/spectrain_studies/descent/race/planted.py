"""Races in which it is known which block, or which routing, gains."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from spectrain_studies.descent.config_transformer import GPTSizes
from spectrain_studies.descent.gpt.experiment import CourseCase
from spectrain_studies.descent.gpt.model import make_gpt, matrices
from spectrain_studies.descent.planted import Told, planted
from spectrain_studies.descent.race.experiment import SETS, ArmCase
from spectrain_studies.frame import Experiment, Planted

START = 3.0
"""Loss of AdamW in nats."""


@cache
def _names(network: GPTSizes) -> list[str]:
    return [block.name for block in matrices(make_gpt(network, 0))]


def _raced(case: ArmCase, noise: float, gain: float) -> dict[str, Any]:
    spread = 1e-3 * gain * np.arange(case.race.seeds) * noise
    rates = case.race.muon_rate, case.race.adamw_rate
    return {"losses": START - gain + spread, "inner": True, "rates": rates, "spectral": []}


def correlated(*needs: Experiment[Any]) -> Planted:
    """Blocks whose margins, steps and gains have the same order; or what they win, the opposite."""

    def world(sign: float) -> Told:
        def told(case: CourseCase | ArmCase, noise: float) -> dict[str, Any]:
            names = _names(case.network if isinstance(case, CourseCase) else case.race.network)
            order = np.arange(1.0, len(names) + 1)
            if isinstance(case, ArmCase):
                place = order[names.index(case.block)] if case.block else 0.0
                kept = {"muon": sign, "specgd": 1.0 if len(needs) == 1 else sign}
                return _raced(case, noise, 0.01 * kept.get(case.arm, 0.0) * place)
            ranks = {"nuclear_rank": np.exp(order)[None], "stable_rank": np.ones((1, len(names)))}
            won = sign if len(needs) == 1 else 1.0
            return {"names": names, "realised": np.exp(won * noise * order), **ranks}

        return told

    return planted(needs, world(1.0), world(-1.0))


def routed(gain: float, *, plain: float = 0.8, gated: float = 0.8) -> Told:
    """Routings each of which gains as much over the one before it.

    Args:
        gain: of the usual routing over AdamW, of plans over the usual one; negative where they
            lose.
        plain: share of it that mlp.out alone has, on an MLP without gates.
        gated: the same with gates.
    """

    def told(case: ArmCase, noise: float) -> dict[str, Any]:
        alone = gated if case.race.network.activation == "swiglu" else plain
        steps = dict(zip(SETS, (0.0, alone, 1.0, 2.0, 3.0), strict=True))
        return _raced(case, noise, gain * steps.get(case.arm, 0.0))

    return told
