"""Levels at rest that nobody computed: pairs of the two-mode law about what was learnt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from spectrain.rmt import TwoMode
from spectrain_studies.frame import Planted, Results
from spectrain_studies.randomness.config import Config
from spectrain_studies.randomness.rbm.experiment import REST, Machine, RestCase
from spectrain_studies.randomness.statistics import PAIRS, finite_rate

RUNS = 1500
Widths = Callable[[RestCase, float, float], float]
"""σ of a pair out of the case, its κ and what theory gives."""


def theory(case: RestCase, kappa: float) -> float:
    """σ of a pair with κ: √(2(α/|B|)(μ² − κ)), widened for finite α and k."""
    x = case.machine.mass_squared - kappa
    wide = finite_rate(case.rate, x, kappa, case.machine.mass_squared, case.machine.sweeps)
    return float((2 * case.rate / case.batch * x) ** 0.5 * wide)


def planted_rest(
    true: Widths | None,
    false: Widths | None,
    *,
    centre: float = 0.0,
    wrong_centre: float = 0.0,
    independent: bool = False,
) -> Planted:
    """Worlds in which pairs have these widths and centres; theory's where none is given.

    Args:
        true: widths where the claim is true.
        false: the same where it is false.
        centre: by how much λ lies above κ where it is true.
        wrong_centre: the same where it is false.
        independent: whether levels of a pair do not repel where the claim is false.
    """

    def world(widths: Widths | None, shift: float, repel: bool) -> Callable[..., list[Results]]:
        def made(config: Config, generator: torch.Generator) -> list[Results]:
            modes = Machine.of(config).field.modes.numpy()
            shape = config.machine.snapshots, RUNS

            def outcome(case: RestCase) -> dict[str, Any]:
                levels = np.broadcast_to(modes + shift, (*shape, len(modes))).copy()
                for low, high in PAIRS:
                    kappa = float(modes[low])
                    sigma = theory(case, kappa)
                    sigma = widths(case, kappa, sigma) if widths else sigma
                    count = shape[0] * shape[1]
                    drawn = sigma * torch.randn(count, 2, generator=generator).numpy()
                    if repel:
                        drawn = TwoMode(0.0, sigma).sample(count, generator=generator)
                    levels[..., [low, high]] += np.sort(drawn, -1).reshape(*shape, 2)
                return {"levels": levels}

            return [Results.made(REST.cases(config), outcome)]

        return made

    return Planted(
        world(true, centre, repel=True), world(false, wrong_centre, repel=not independent)
    )
