"""Runs of the minimal model that nobody ran, in which a claim is known to be true or false."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from spectrain_studies.frame import Experiment, Planted, Results
from spectrain_studies.regime.config import Config
from spectrain_studies.regime.model.experiment import DEFINITIONS, SweepCase
from spectrain_studies.regime.statistics import ENOUGH

SPREAD = 0.005
"""Relative spread over seeds, and over the records of one."""

Level = Callable[[Config, SweepCase, float], "float | np.ndarray"]
"""A level, or one a record, out of the configuration, the case and the swept value of an arm."""


def swept(case: SweepCase) -> list[float]:
    """What is swept: of one arm the case's value, of several the batch size or √(η/λ)."""
    if len(case.arms) == 1:
        return [case.value]
    sizes = {arm.batch_size for arm in case.arms}
    if len(sizes) > 1:
        return [float(arm.batch_size) for arm in case.arms]
    ratios = [(arm.learning_rate / arm.weight_decay) ** 0.5 for arm in case.arms]
    return [ratio / ratios[len(ratios) // 2] for ratio in ratios]


def power(exponent: float, level: float = 1.0, at_zero: float = 1.0) -> Level:
    """Level · x^exponent, and what is there at x = 0."""
    return lambda config, case, x: level * (x**exponent if x else at_zero)


def rising(by: float) -> Level:
    """From 1 to 1 + by in the course of a run."""
    return lambda config, case, x: 1 + by * np.linspace(0, 1, case.records + 1)


def planted(
    experiment: Experiment[Config], true: Mapping[str, Level], false: Mapping[str, Level]
) -> Planted:
    """Worlds in which what is measured has these levels; all else is 1.

    Args:
        experiment: the sweep.
        true: levels by name of the outcome where the claim is true.
        false: the same where it is false.
    """
    names = ["weight_norm", "multiplier_norm", "product_norm", "weight_noise_scale"]
    names += [f"{kind}_{name}" for kind in ("weight", "multiplier") for name in DEFINITIONS]

    def world(levels: Mapping[str, Level]) -> Callable[[Config, torch.Generator], list[Results]]:
        def made(config: Config, generator: torch.Generator) -> list[Results]:
            def outcome(case: SweepCase) -> dict[str, Any]:
                records = case.records + 1
                found: dict[str, Any] = {"steps": np.linspace(0, case.steps, records).round()}
                for name in names:
                    level = levels.get(name, power(0.0))
                    values = [np.full(records, level(config, case, x)) for x in swept(case)]
                    shape = records, len(values), case.seeds
                    own, shared = torch.randn(2, *shape, generator=generator).numpy()
                    luck = own + shared[:1]  # of every record, and of the whole run
                    found[name] = np.stack(values, 1)[..., None] * np.exp(SPREAD * luck)
                return found

            return [Results.made(map(_long, experiment.cases(config)), outcome)]

        return made

    return Planted(world(true), world(false))


def _long(case: SweepCase) -> SweepCase:
    """The case with a run that is long enough."""
    arm = case.arms[0]
    relaxations = 2 * arm.learning_rate * max(arm.weight_decay, 1e-4) * case.steps
    fields = {name: getattr(case, name) for name in SweepCase.__dataclass_fields__}
    return SweepCase(**fields | {"steps": int(case.steps * ENOUGH / min(relaxations, ENOUGH)) + 1})
