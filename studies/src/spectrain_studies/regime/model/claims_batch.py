"""Claims of equation (3), §3.2 and §4 on batch size."""

from __future__ import annotations

from math import log

import numpy as np

from spectrain_studies.frame import (
    Above,
    AllOf,
    Below,
    Criterion,
    Measured,
    Results,
    Untestable,
    Within,
)
from spectrain_studies.frame.statistics import as_details, log_slope, over_seeds, slope
from spectrain_studies.regime.config import Config
from spectrain_studies.regime.model.claims_dynamics import NORMALISED
from spectrain_studies.regime.model.experiment import BATCHES, DEFINITIONS
from spectrain_studies.regime.model.planted import planted, power
from spectrain_studies.regime.statistics import (
    late_arms,
    late_difference,
    late_ratio,
    settled,
    twin_norm,
)
from spectrain_studies.regime.study import STUDY

APPROACHES = 0.5
"""SNR from which a parameter "approaches the signal-dominated regime", whose mark is 1."""
SIDES = {"w": ("weight", "W"), "gamma": ("multiplier", "γ")}
OPPOSITE = "§3.2 and prediction (2) of §4 say opposite things of this one number"


@STUDY.claim(
    "fig2-regime-change-at-noise-scale",
    source="§3.2",
    statement="The batch size of the regime change is the one of the critical batch size framework",
    statistic="ln of the batch size at which the late SNR_W (whole tensor) crosses 1, over the "
    "gradient noise scale tr C/‖g‖² of W late at the smallest batch; mean over seeds",
    criterion=Within(-round(log(2), 3), round(log(2), 3)),
    needs=[BATCHES],
    planted=planted(
        BATCHES,
        {
            "weight_snr_whole_tensor": power(0.5, 32**-0.5),
            "weight_noise_scale": power(0.0, 32),
        },
        {
            "weight_snr_whole_tensor": power(0.5, 32**-0.5),
            "weight_noise_scale": power(0.0, 200),
        },
    ),
)
@settled
def regime_change(config: Config, batches: Results) -> Measured:
    """A crossing beyond the sweep counts at its end: a bound, which may be enough to refute."""
    sizes = np.log(config.batches.values)
    snr = late_arms(batches, "weight_snr_whole_tensor")
    scale = late_arms(batches, "weight_noise_scale")[0]
    crossing = np.array([np.interp(0.0, np.log(arm), sizes) for arm in snr.T])
    found = over_seeds(crossing - np.log(scale))
    above, below = (snr[-1] < 1).any(), (snr[0] > 1).any()
    high, low = (float("nan") if x is None else x for x in (found.high, found.low))
    refuted = (above and low > log(2) and not below) or (below and high < -log(2) and not above)
    outside = "SNR_W does not cross 1 within the sweep for every seed"
    details = {
        "snr_w": snr.mean(1).tolist(),
        "noise_scale_w": float(scale.mean()),
        "batch_size": float(np.exp(crossing.mean())),
    }
    return Measured(
        found,
        details=details,
        note=f"{outside}: its end stands for those, a bound" if refuted else "",
        unsettled=outside if (above or below) and not refuted else "",
    )


@STUDY.claim(
    "fig2-norm-leaves-the-twin-at-noise-scale",
    source="§3.2, Figure 2",
    statement="Larger batches push W out of the equilibrium of noise and decay",
    statistic="|ln(late ‖W‖ / noise twin)| at the largest batch minus the same at the smallest",
    criterion=Above(0),
    needs=[BATCHES],
    planted=planted(
        BATCHES,
        {"weight_norm": lambda c, case, x: 7.07 * (1 - x / 2000)},
        {"weight_norm": lambda c, case, x: 7.07 * (1 - 0.1 * (x < 10))},
    ),
)
@settled
def norm_leaves(config: Config, batches: Results) -> Measured:
    twin = twin_norm(config.dimension**2, config.learning_rate, config.weight_decay)
    ratios = late_arms(batches, "weight_norm") / twin
    away = np.abs(np.log(ratios))
    by_batch = dict(zip(map(str, config.batches.values), ratios.mean(1).tolist(), strict=True))
    return Measured(over_seeds(away[-1] - away[0]), details={"norm over twin": by_batch})


def _proportional_to_root(side: str, definition: str, reading: str, label: str) -> None:
    kind, letter = SIDES[side]
    name = f"{kind}_{definition}"

    @STUDY.claim(
        f"eq3-{side}-batch-{label}",
        source="§2.1, equation (3)",
        statement=f"SNR_{letter} ∝ √B",
        reading=f"{reading}, at given weights",
        statistic=f"exponent of SNR_{letter} in B at the initial weights",
        criterion=Within(0.45, 0.55),
        needs=[BATCHES],
        planted=planted(BATCHES, {name: power(0.5)}, {name: power(1.0)}),
    )
    def at_given_weights(config: Config, batches: Results) -> Measured:
        first = np.concatenate([result[name][0] for result in batches])
        x = np.log(config.batches.values)
        exponent = float(np.polyfit(x, np.log(first).mean(1), 1)[0])
        return Measured(
            exponent,
            seeds=first.shape[1],
            note="At given weights the exponent is a matter of definition: 1/2 for ratios of "
            "lengths, 1 for ratios of squares",
        )

    @STUDY.claim(
        f"eq3-{side}-batch-late-{label}",
        source="§2.1, equation (3)",
        statement=f"SNR_{letter} ∝ √B",
        reading=f"{reading}, each B at the weights that it led to",
        statistic=f"exponent of late SNR_{letter} in B",
        criterion=Within(0.45, 0.55),
        needs=[BATCHES],
        planted=planted(BATCHES, {name: power(0.5)}, {name: power(0.2)}),
    )
    @settled
    def late(config: Config, batches: Results) -> Measured:
        return Measured(log_slope(config.batches.values, late_arms(batches, name)))


def _separation(definition: str, reading: str, label: str) -> None:
    """Both statements on how the gap between the SNRs goes with B, as ratio and as difference."""
    gamma = f"multiplier_{definition}"
    statements = (
        (
            "fig2-gamma-grows-faster",
            "§3.2",
            "γ's SNR grows faster with batch size than W's",
            Above(0),
            True,
        ),
        (
            "s4-batch-reduces-separation",
            "§4, prediction (2)",
            "Larger batches reduce the separation",
            Below(0),
            False,
        ),
    )
    for name, source, statement, criterion, grows in statements:
        worlds = planted(
            BATCHES,
            {gamma: power(0.2 if grows else -0.2)},
            {gamma: power(-0.2 if grows else 0.2)},
        )
        for how in ("ratio", "difference"):
            if how == "ratio" and definition == NORMALISED:
                continue  # a constant factor: the whole tensor's number

            @STUDY.claim(
                f"{name}-{how}-{label}",
                source=source,
                statement=statement,
                reading=f"{reading}, as a {how}",
                statistic="exponent of late SNR_γ/SNR_W in B"
                if how == "ratio"
                else "slope of late SNR_γ − SNR_W in log₂ B",
                criterion=criterion,
                needs=[BATCHES],
                planted=worlds,
            )
            @settled
            def gap(config: Config, batches: Results, how: str = how) -> Measured:
                sizes = config.batches.values
                if how == "ratio":
                    found = log_slope(sizes, late_ratio(batches, definition))
                else:
                    found = slope(np.log2(sizes), late_difference(batches, definition))
                return Measured(found, note=OPPOSITE)


def _claims_of(definition: str, reading: str) -> None:
    label = reading.removesuffix(" SNR").replace(" ", "-")
    normalised = definition == NORMALISED
    weight, gamma = f"weight_{definition}", f"multiplier_{definition}"
    _separation(definition, reading, label)
    if not normalised:  # where it would be the whole tensor's number
        for side in SIDES:
            _proportional_to_root(side, definition, reading, label)

        @STUDY.claim(
            f"fig2-both-snr-grow-{label}",
            source="§3.2",
            statement="Increasing batch size increases both SNRs",
            reading=reading,
            statistic="exponents of late SNR_W and SNR_γ in B",
            criterion=AllOf({"of W": Above(0), "of γ": Above(0)}),
            needs=[BATCHES],
            planted=planted(
                BATCHES,
                {weight: power(0.2), gamma: power(0.2)},
                {weight: power(0.2), gamma: power(-0.2)},
            ),
        )
        @settled
        def both_grow(config: Config, batches: Results) -> dict[str, Measured]:
            names = {"of W": weight, "of γ": gamma}
            return {
                who: Measured(log_slope(config.batches.values, late_arms(batches, name)))
                for who, name in names.items()
            }

    criterion: Criterion | Untestable = Above(APPROACHES)
    if normalised:
        criterion = Untestable(
            "this SNR is that of the whole tensor over the number of entries: 0.5 would be a "
            "whole tensor's of 50"
        )

    @STUDY.claim(
        f"fig2-w-approaches-signal-at-256-{label}",
        source="§3.2, Figure 2",
        statement="At B = 256 even W approaches the signal-dominated regime",
        reading=reading,
        statistic="late SNR_W at B = 256, mean over seeds",
        criterion=criterion,
        needs=[BATCHES],
        planted=None
        if normalised
        else planted(BATCHES, {weight: power(0.0, 0.8)}, {weight: power(0.0, 0.3)}),
    )
    @settled
    def approaches(config: Config, batches: Results) -> Measured | Untestable:
        if 256 not in config.batches.values:
            return Untestable("256 is not among the batch sizes")
        place = config.batches.values.index(256)
        at_smallest = as_details(over_seeds(late_arms(batches, weight)[0]))
        found = over_seeds(late_arms(batches, weight)[place])
        return Measured(found, details={"at the smallest batch": at_smallest})


for _definition, _reading in DEFINITIONS.items():
    _claims_of(_definition, f"{_reading} SNR")
