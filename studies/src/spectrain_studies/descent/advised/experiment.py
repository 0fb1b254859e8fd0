"""Whole trainings of each network by three set-ups, each at its own best rate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from torch import nn

from spectrain.network import Network, find_blocks
from spectrain.trials import SetUp, Stepper, advised_setup, to_adamw, usual_setup
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.config_trials import Whole
from spectrain_studies.descent.trials.training import trained
from spectrain_studies.descent.trials.workloads import RATES, WORKLOADS
from spectrain_studies.frame import Experiment, Outcome

TUNING, JUDGING = 900, 1_000
"""First seeds of the trainings that choose a rate, and of those that judge."""


@dataclass(frozen=True)
class WholeCase:
    """One network trained by one set-up.

    Attributes:
        workload: its name.
        setup: of the optimizers, by name.
        sizes: of the trainings.
    """

    workload: str
    setup: str
    sizes: Whole


def _adamw(model: nn.Module, network: Network) -> SetUp:
    base = usual_setup(model, network)
    muon = [name for name, one in base.assignments.items() if one.rule is Stepper.MUON]
    return to_adamw(base, *muon)(base) if muon else base


SETUPS: dict[str, Callable[[nn.Module, Network], SetUp]] = {
    "usual": usual_setup,
    "advised": advised_setup,
    "AdamW": _adamw,
}
"""From a network to how it is trained, by name."""


def run_whole(case: WholeCase) -> Outcome:
    """Held-out losses while the rate is chosen (rates × seeds), and at the chosen one."""
    workload, sizes = WORKLOADS[case.workload], case.sizes
    model = workload.make(0)
    setup = SETUPS[case.setup](model, find_blocks(model)).faster(RATES[case.workload])
    train = partial(trained, workload, setup, steps=sizes.steps, tested=sizes.tested)
    tuning = np.array(
        [
            [train(seed=TUNING + seed, rate=rate) for seed in range(sizes.tuning)]
            for rate in sizes.rates
        ]
    )
    means = tuning.mean(1)
    best = int(np.argmin(np.where(np.isfinite(means), means, np.inf)))
    rate = sizes.rates[best]
    end = [train(seed=JUDGING + seed, rate=rate) for seed in range(sizes.seeds)]
    return {"tuning": tuning, "best": np.array(best), "end": np.array(end)}


def _cases(config: Config) -> list[WholeCase]:
    sizes = config.trials.whole
    chosen = list(WORKLOADS)[: sizes.workloads]
    return [WholeCase(workload, setup, sizes) for workload in chosen for setup in SETUPS]


WHOLE: Experiment[Config] = Experiment("whole_trainings", run_whole, _cases)
