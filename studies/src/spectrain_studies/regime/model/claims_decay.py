"""Claims of §3.3 and §4 on weight decay, and on the balance of learning rate and decay."""

from __future__ import annotations

import numpy as np

from spectrain_studies.frame import Above, AllOf, Below, Measured, Results, Untestable, Within
from spectrain_studies.frame.statistics import as_details, log_slope, over_seeds
from spectrain_studies.regime.config import Config
from spectrain_studies.regime.model.experiment import BALANCE, DECAYS, DEFINITIONS
from spectrain_studies.regime.model.planted import planted, power, rising
from spectrain_studies.regime.statistics import late_arms, late_ratio, settled, twin_norm
from spectrain_studies.regime.study import STUDY

TWO_REGIMES = 5.0
"""SNR ratio by which the document knows two regimes."""


def _decayed(decays: Results) -> Results:
    return Results(tuple(r for r in decays if r.case.value > 0), decays.problems)


def _near(config: Config, decays: Results) -> Results:
    """The run at the document's weight decay, or the one nearest to it."""
    values = [result.case.value for result in _decayed(decays)]
    return decays.where(value=min(values, key=lambda value: abs(value - config.weight_decay)))


@STUDY.claim(
    "fig3-decay-constrains-w",
    source="§3.3",
    statement="Weight decay constrains ‖W‖ strongly",
    statistic="exponent of late ‖W‖ in λ > 0 (noise alone: −1/2)",
    criterion=Below(-0.25),
    needs=[DECAYS],
    planted=planted(DECAYS, {"weight_norm": power(-0.5)}, {"weight_norm": power(-0.1)}),
)
@settled
def decay_constrains(config: Config, decays: Results) -> Measured:
    kept = _decayed(decays)
    values = [result.case.value for result in kept]
    norms = late_arms(kept, "weight_norm")
    twins = [twin_norm(config.dimension**2, config.learning_rate, value) for value in values]
    ratios = norms.mean(1) / np.array(twins)
    details = {"norm over twin": dict(zip(map(str, values), ratios.tolist(), strict=True))}
    return Measured(log_slope(values, norms), details=details)


@STUDY.claim(
    "fig3-weaker-on-gamma",
    source="§3.3, Figure 3",
    statement="Weight decay has a weaker relative effect on ‖γ‖ than on ‖W‖",
    statistic="|exponent of late ‖W‖ in λ| − |exponent of late ‖γ‖ in λ|, λ > 0, paired",
    criterion=Above(0),
    needs=[DECAYS],
    planted=planted(
        DECAYS,
        {"weight_norm": power(-0.5), "multiplier_norm": power(-0.1)},
        {"weight_norm": power(-0.1), "multiplier_norm": power(-0.5)},
    ),
)
@settled
def weaker_on_gamma(config: Config, decays: Results) -> Measured:
    kept = _decayed(decays)
    x = np.log([result.case.value for result in kept])
    x = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    exponents = [x @ np.log(late_arms(kept, f"{kind}_norm")) for kind in ("weight", "multiplier")]
    details = {
        "weight": as_details(over_seeds(exponents[0])),
        "multiplier": as_details(over_seeds(exponents[1])),
    }
    return Measured(over_seeds(np.abs(exponents[0]) - np.abs(exponents[1])), details=details)


@STUDY.claim(
    "fig3-no-decay-both-grow",
    source="§3.3",
    statement="Without weight decay both parameters grow freely",
    statistic="ln(norm at the end / norm at half the horizon) at λ = 0, of W and of γ",
    criterion=AllOf({"‖W‖": Above(0), "‖γ‖": Above(0)}),
    needs=[DECAYS],
    planted=planted(
        DECAYS,
        {"weight_norm": rising(1.0), "multiplier_norm": rising(1.0)},
        {"weight_norm": rising(1.0), "multiplier_norm": rising(-0.5)},
    ),
)
@settled
def both_grow(config: Config, decays: Results) -> dict[str, Measured]:
    free = decays.where(value=0.0).only()
    middle, note = len(free["steps"]) // 2, f"Horizon of {free.case.steps:,} steps"

    def growth(kind: str) -> Measured:
        norms = free[f"{kind}_norm"][:, 0]
        return Measured(over_seeds(np.log(norms[-1] / norms[middle])), note=note)

    return {"‖W‖": growth("weight"), "‖γ‖": growth("multiplier")}


@STUDY.claim(
    "balance-w",
    source="Velikanov et al. 2026, cited in §1 for the equilibrium of noise and decay",
    statement="At fixed ηλ the matrix norm is proportional to √(η/λ)",
    statistic="exponent of late ‖W‖ in √(η/λ)",
    criterion=Within(0.9, 1.1),
    needs=[BALANCE],
    planted=planted(BALANCE, {"weight_norm": power(1.0)}, {"weight_norm": power(0.4)}),
)
@settled
def balance_w(config: Config, balance: Results) -> Measured:
    return Measured(log_slope(config.balance.values, late_arms(balance, "weight_norm")))


@STUDY.claim(
    "balance-multiplier-frees-the-scale",
    source="Velikanov et al. 2026, cited in §1",
    statement="The multiplier frees the scale: ‖diag(γ)W‖ does not follow √(η/λ)",
    statistic="exponent of late ‖diag(γ)W‖ in √(η/λ) at fixed ηλ",
    criterion=Within(-0.1, 0.1),
    needs=[BALANCE],
    planted=planted(BALANCE, {}, {"product_norm": power(0.5)}),
)
@settled
def balance_product(config: Config, balance: Results) -> Measured:
    gamma = log_slope(config.balance.values, late_arms(balance, "multiplier_norm"))
    found = log_slope(config.balance.values, late_arms(balance, "product_norm"))
    return Measured(found, details={"exponent of γ": as_details(gamma)})


def _claims_of(definition: str, reading: str) -> None:
    label = reading.removesuffix(" SNR").replace(" ", "-")
    gamma = f"multiplier_{definition}"

    @STUDY.claim(
        f"fig3-no-decay-no-separation-{label}",
        source="§3.3",
        statement="Without weight decay the regime separation is eliminated",
        reading=reading,
        statistic="(late SNR_γ/SNR_W at λ = 0, minus 1) over the same at the document's λ, of "
        "means over seeds",
        criterion=Below(0.2),
        needs=[DECAYS],
        planted=planted(
            DECAYS,
            {gamma: power(0.0, 5.0, at_zero=0.2)},
            {gamma: power(0.0, 5.0, at_zero=2.0)},
        ),
    )
    @settled
    def eliminated(config: Config, decays: Results) -> Measured:
        free = late_ratio(decays.where(value=0.0), definition)[0]
        held = late_ratio(_near(config, decays), definition)[0]
        details = {"ratio without": float(free.mean()), "ratio with": float(held.mean())}
        none = "" if held.mean() > 1 else "With decay there is no separation either"
        found = over_seeds((free - 1) / (held.mean() - 1))
        return Measured(found, details=details, unsettled=none)

    @STUDY.claim(
        f"s4-decay-is-necessary-{label}",
        source="§4, prediction (3)",
        statement="Weight decay is necessary for the two-regime behaviour",
        reading=reading,
        statistic="late SNR_γ/SNR_W at λ = 0, mean over seeds; untestable where with decay too it "
        f"is below {TWO_REGIMES:g}, the ratio by which the document knows two regimes",
        criterion=Below(TWO_REGIMES),
        needs=[DECAYS],
        planted=planted(
            DECAYS,
            {gamma: power(0.0, 8.0, at_zero=0.2)},
            {gamma: power(0.0, 8.0, at_zero=1.0)},
        ),
    )
    @settled
    def necessary(config: Config, decays: Results) -> Measured | Untestable:
        free = over_seeds(late_ratio(decays.where(value=0.0), definition)[0])
        held = over_seeds(late_ratio(_near(config, decays), definition)[0])
        if held.high is not None and held.high < TWO_REGIMES:
            return Untestable(
                f"with decay too the ratio is below {TWO_REGIMES:g} ({held.value:.3g}; without "
                f"decay {free.value:.3g}): there are no two regimes to explain"
            )
        return Measured(free, details={"ratio with decay": as_details(held)})


for _definition, _reading in DEFINITIONS.items():
    _claims_of(_definition, f"{_reading} SNR")
