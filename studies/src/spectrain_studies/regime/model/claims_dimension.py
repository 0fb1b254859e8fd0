"""Claims of equation (3), §3.4 and §4 on dimension."""

from __future__ import annotations

import numpy as np

from spectrain_studies.frame import Above, Measured, Results, Within
from spectrain_studies.frame.statistics import as_details, log_slope, slope
from spectrain_studies.regime.config import Config
from spectrain_studies.regime.model.claims_batch import SIDES
from spectrain_studies.regime.model.experiment import DEFINITIONS, DIMENSIONS
from spectrain_studies.regime.model.planted import planted, power
from spectrain_studies.regime.statistics import late_arms, late_difference, late_ratio, settled
from spectrain_studies.regime.study import STUDY

POWERS = {"w": -2, "gamma": -1}


def _claims_of(definition: str, reading: str) -> None:
    label = reading.removesuffix(" SNR").replace(" ", "-")
    gamma = f"multiplier_{definition}"
    for side, (kind, letter) in SIDES.items():
        power_ = POWERS[side]
        name = f"{kind}_{definition}"

        @STUDY.claim(
            f"eq3-{side}-dimension-{label}",
            source="§2.1, equation (3)",
            statement=f"SNR_{letter} ∝ d^{power_}",
            reading=reading,
            statistic=f"exponent of late SNR_{letter} in d",
            criterion=Within(power_ - 0.25, power_ + 0.25),
            needs=[DIMENSIONS],
            planted=planted(DIMENSIONS, {name: power(power_)}, {name: power(power_ + 1)}),
        )
        @settled
        def scaling(config: Config, dimensions: Results, name: str = name) -> Measured:
            first = np.concatenate([result[name][0] for result in dimensions])
            initial = as_details(log_slope(config.dimensions.values, first))
            found = log_slope(config.dimensions.values, late_arms(dimensions, name))
            return Measured(found, details={"at the initial weights": initial})

    @STUDY.claim(
        f"fig4-gap-grows-ratio-{label}",
        source="§3.4, Figure 4; §4, prediction (1)",
        statement="The SNR gap between W and γ grows with d",
        reading=f"{reading}, as a ratio",
        statistic="exponent of late SNR_γ/SNR_W in d",
        criterion=Above(0),
        needs=[DIMENSIONS],
        planted=planted(DIMENSIONS, {gamma: power(0.3)}, {gamma: power(-0.3)}),
    )
    @settled
    def growth(config: Config, dimensions: Results) -> Measured:
        ratios = late_ratio(dimensions, definition)
        means = dict(zip(map(str, config.dimensions.values), ratios.mean(1).tolist(), strict=True))
        found = log_slope(config.dimensions.values, ratios)
        return Measured(found, details={"ratio by d": means})

    @STUDY.claim(
        f"fig4-gap-grows-difference-{label}",
        source="§3.4, Figure 4; §4, prediction (1)",
        statement="The SNR gap between W and γ grows with d",
        reading=f"{reading}, as a difference",
        statistic="slope of late SNR_γ − SNR_W in log₂ d",
        criterion=Above(0),
        needs=[DIMENSIONS],
        planted=planted(DIMENSIONS, {gamma: power(0.3)}, {gamma: power(-0.3)}),
    )
    @settled
    def difference(config: Config, dimensions: Results) -> Measured:
        gap = late_difference(dimensions, definition)
        return Measured(slope(np.log2(config.dimensions.values), gap))

    @STUDY.claim(
        f"fig4-ratio-linear-{label}",
        source="§3.4",
        statement="The SNR ratio increases roughly linearly with d",
        reading=reading,
        statistic="exponent of late SNR_γ/SNR_W in d",
        criterion=Within(0.75, 1.25),
        needs=[DIMENSIONS],
        planted=planted(DIMENSIONS, {gamma: power(1.0)}, {gamma: power(0.3)}),
    )
    @settled
    def linear(config: Config, dimensions: Results) -> Measured:
        return Measured(log_slope(config.dimensions.values, late_ratio(dimensions, definition)))


for _definition, _reading in DEFINITIONS.items():
    _claims_of(_definition, f"{_reading} SNR")
