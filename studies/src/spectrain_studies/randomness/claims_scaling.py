"""Claims on the linear scaling rule, and on what noise does to generalisation."""

from __future__ import annotations

import numpy as np
import torch

from spectrain.noise.estimate import mean_estimate
from spectrain_studies.frame import Judgement, Results, above, below, within
from spectrain_studies.randomness.config import Config
from spectrain_studies.randomness.machine import GENERALISATION, REST
from spectrain_studies.randomness.statistics import (
    PAIRS,
    base,
    finite_rate,
    log_slope,
    mean_spacing,
    pair_modes,
    ratio,
)
from spectrain_studies.randomness.study import STUDY


def _equal(config: Config, rest: Results) -> dict[float, list[float]]:
    """⟨S⟩ of each pair at one α/|B|, by α, over that at α = batch_rate."""
    one = config.machine
    reference = base(rest, config)
    out = {}
    for rate, batch in one.equal:
        result = rest.where(rate=rate, batch=batch).only()
        out[rate] = [
            float(mean_spacing(result, p).value or 0) / float(mean_spacing(reference, p).value or 1)
            for p in PAIRS
        ]
    return out


@STUDY.claim(
    "linear-scaling-rule",
    source="slide “Linear scaling relation”",
    statement="Equal α/|B| gives equal spacings",
    statistic="⟨S⟩ over that at α = 0.1, |B| = 16, largest deviation from 1 over pairs, α ≤ 0.2",
    criterion="below 5 %",
    needs=(REST,),
)
def scaling_rule(config: Config, rest: Results) -> Judgement:
    found = {r: v for r, v in _equal(config, rest).items() if r <= 0.2}
    worst = max(abs(q - 1) for values in found.values() for q in values)
    return below(
        worst, 0.05, seeds=rest[0].case.runs, details={str(k): v for k, v in found.items()}
    )


@STUDY.claim(
    "linear-scaling-breaks",
    source="slide “Linear scaling relation” (where does it end?)",
    statement="At large α the rule breaks: r = 2α(μ² − κ)/κ² is no longer small",
    statistic="⟨S⟩ of the fastest pair at the largest α over that at α = 0.1, equal α/|B|",
    criterion="above 1.05",
    needs=(REST,),
)
def scaling_breaks(config: Config, rest: Results) -> Judgement:
    rate, batch = max(config.machine.equal)
    found = ratio(
        mean_spacing(rest.where(rate=rate, batch=batch).only(), PAIRS[0]),
        mean_spacing(base(rest, config), PAIRS[0]),
    )
    one, kappa = config.machine, pair_modes(config)[0]
    args = one.mass_squared - kappa, kappa, one.mass_squared, one.sweeps
    theory = finite_rate(rate, *args) / finite_rate(one.batch_rate, *args)
    return above(found, 1.05, seeds=rest[0].case.runs, details={"theory": theory})


def _held_out(generalisation: Results, ratio_: float, name: str) -> np.ndarray:
    """Mean of each data set minus its limit of no noise."""
    chosen = generalisation.where(ratio=ratio_)
    return np.array([r[name].mean() - r[f"{name}_limit"] for r in chosen])


@STUDY.claim(
    "noise-generalises",
    source="slide “Summary”",
    statement="Stochasticity allows for generalisation: with few data, some α/|B| > 0 does better "
    "on the true law than α/|B| → 0",
    statistic="largest gain of held-out log-likelihood over α/|B|, in nats, data sets as seeds",
    criterion="above 0",
    needs=(GENERALISATION,),
)
def noise_generalises(config: Config, generalisation: Results) -> Judgement:
    gains = {r: _held_out(generalisation, r, "held_out") for r in config.machine.ratios}
    best = max(gains, key=lambda r: gains[r].mean())
    found = mean_estimate(torch.from_numpy(gains[best]))
    details = {f"α/|B| = {r}": float(gain.mean()) for r, gain in gains.items()}
    return above(found, 0.0, details=details)


@STUDY.claim(
    "noise-costs-likelihood",
    source="slide “Summary” (“fundamental limitation of learning”)",
    statement="Noise keeps the machine from its training data's likelihood, in proportion to α/|B|",
    statistic="exponent of the loss of training log-likelihood against α/|B|",
    criterion="1 within 0.2",
    needs=(GENERALISATION,),
)
def noise_costs(config: Config, generalisation: Results) -> Judgement:
    losses = {r: -_held_out(generalisation, r, "train") for r in config.machine.ratios}
    finite = [r for r, loss in losses.items() if np.isfinite(loss).all()]
    found = log_slope(finite, [mean_estimate(torch.from_numpy(losses[r])) for r in finite])
    return within(
        found,
        0.8,
        1.2,
        seeds=4,
        details={f"α/|B| = {r}": float(loss.mean()) for r, loss in losses.items()},
        note="Where a run's noise has carried a level beyond μ², its machine is no law, its "
        "likelihood −∞, and its α/|B| is left out of the exponent.",
    )
