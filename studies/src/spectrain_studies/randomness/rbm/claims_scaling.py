"""Claims on the linear scaling rule, and on what noise does to generalisation."""

from __future__ import annotations

import numpy as np

from spectrain.noise.estimate import Estimate, symmetric
from spectrain_studies.frame import (
    Above,
    Measured,
    Near,
    OnEvery,
    Results,
    near,
    planted,
)
from spectrain_studies.frame.measured import at_level
from spectrain_studies.frame.planted import World
from spectrain_studies.frame.statistics import LEVEL, over_seeds, quotient, weighted_log_slope
from spectrain_studies.randomness.config import Config
from spectrain_studies.randomness.rbm.experiment import GENERALISATION, REST
from spectrain_studies.randomness.rbm.planted import planted_rest
from spectrain_studies.randomness.statistics import (
    PAIRS,
    base,
    finite_rate,
    mean_spacing,
    pair_modes,
)
from spectrain_studies.randomness.study import STUDY

SLOW = 0.2
"""α up to which the rule is taken to be meant."""


@STUDY.claim(
    "linear-scaling-rule",
    source="slide “Linear scaling relation”",
    statement="Equal α/|B| gives equal spacings",
    statistic=f"⟨S⟩ over that at α = 0.1, |B| = 16, mean over pairs, α ≤ {SLOW}",
    criterion=OnEvery("learning rate", Near(1.0, 0.05)),
    needs=(REST,),
    planted=planted_rest(
        lambda case, kappa, sigma: (case.rate / case.batch) ** 0.5,
        lambda case, kappa, sigma: case.rate**0.5 / case.batch**0.2,
    ),
)
def scaling_rule(config: Config, rest: Results) -> dict[str, Measured]:
    """The mean over pairs: the largest of twelve deviations is chance's."""
    reference = base(rest, config)

    def over_reference(rate: float, batch: int) -> Measured:
        result = rest.where(rate=rate, batch=batch).only()
        found = [quotient(mean_spacing(result, p), mean_spacing(reference, p)) for p in PAIRS]
        values = [float(each.value or 0) for each in found]
        error = float(np.hypot.reduce([float(each.error or 0) for each in found]) / len(found))
        mean = symmetric(float(np.mean(values)), error, replicas=found[0].replicas)
        kappas = [f"κ = {kappa:.3f}" for kappa in pair_modes(config)]
        return Measured(mean, details=dict(zip(kappas, values, strict=True)))

    return {f"{r:g}": over_reference(r, b) for r, b in config.machine.equal if r <= SLOW}


@STUDY.claim(
    "linear-scaling-breaks",
    source="slide “Linear scaling relation” (where does it end?)",
    statement="At large α the rule breaks: r = 2α(μ² − κ)/κ² is no longer small",
    statistic="⟨S⟩ of the fastest pair at the largest α over that at α = 0.1, equal α/|B|",
    criterion=Above(1.05),
    needs=(REST,),
    planted=planted_rest(
        lambda case, kappa, sigma: case.rate**0.5 / case.batch**0.2,
        lambda case, kappa, sigma: (case.rate / case.batch) ** 0.5,
    ),
)
def scaling_breaks(config: Config, rest: Results) -> Measured:
    rate, batch = max(config.machine.equal)
    found = quotient(
        mean_spacing(rest.where(rate=rate, batch=batch).only(), PAIRS[0]),
        mean_spacing(base(rest, config), PAIRS[0]),
    )
    one, kappa = config.machine, pair_modes(config)[0]
    args = one.mass_squared - kappa, kappa, one.mass_squared, one.sweeps
    theory = finite_rate(rate, *args) / finite_rate(one.batch_rate, *args)
    return Measured(found, details={"theory": theory})


def _over_limit(generalisation: Results, ratio: float, name: str) -> np.ndarray:
    """Mean of each data set minus its limit of no noise."""
    chosen = generalisation.where(ratio=ratio)
    return np.array([r[name].mean() - r[f"{name}_limit"] for r in chosen])


def _gains(gain: float, power: float = 1.0) -> World:
    return near(
        held_out=lambda case: np.full(20, gain),
        held_out_limit=0.0,
        train=lambda case: np.full(20, -10 * case.ratio**power),
        train_limit=0.0,
    )


@STUDY.claim(
    "noise-generalises",
    source="slide “Summary”",
    statement="Stochasticity allows for generalisation: with few data, some α/|B| > 0 does better "
    "on the true law than α/|B| → 0",
    statistic="largest gain of held-out log-likelihood over α/|B|, data sets as seeds, its level "
    "corrected for the choice",
    criterion=Above(0, "nats"),
    needs=(GENERALISATION,),
    planted=planted(GENERALISATION, _gains(0.1), _gains(-0.1)),
)
def noise_generalises(config: Config, generalisation: Results) -> Measured:
    """The best of several is above 0 by chance more often than one is (Bonferroni)."""
    gains = {r: _over_limit(generalisation, r, "held_out") for r in config.machine.ratios}
    best = max(gains, key=lambda r: gains[r].mean())
    found = at_level(over_seeds(gains[best]), 1 - (1 - LEVEL) / len(gains))
    return Measured(found, details={f"α/|B| = {r}": float(g.mean()) for r, g in gains.items()})


@STUDY.claim(
    "noise-costs-likelihood",
    source="slide “Summary” (“fundamental limitation of learning”)",
    statement="Noise keeps the machine from its training data's likelihood, in proportion to α/|B|",
    statistic="exponent of the loss of training log-likelihood against α/|B|",
    criterion=Near(1.0, 0.2),
    needs=(GENERALISATION,),
    planted=planted(GENERALISATION, _gains(0.0), _gains(0.0, power=0.3)),
)
def noise_costs(config: Config, generalisation: Results) -> Measured:
    losses = {r: -_over_limit(generalisation, r, "train") for r in config.machine.ratios}
    finite = [r for r, loss in losses.items() if np.isfinite(loss).all()]
    found = (
        weighted_log_slope(finite, [over_seeds(losses[r]) for r in finite])
        if len(finite) > 1
        else Estimate.missing("fewer than two finite α/|B|", replicas=len(losses))
    )
    return Measured(
        found,
        seeds=4,
        details={f"α/|B| = {r}": float(loss.mean()) for r, loss in losses.items()},
        note="Where a run's noise has carried a level beyond μ², its machine is no law, its "
        "likelihood −∞, and its α/|B| is left out of the exponent",
    )
