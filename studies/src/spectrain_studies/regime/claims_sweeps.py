"""Claims of equation (3), §3.2–3.4 and §4: sweeps over batch size, weight decay and dimension."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spectrain.noise.estimate import Estimate
from spectrain_studies.frame import (
    Judgement,
    Results,
    Verdict,
    above,
    below,
    combined,
    undecided,
    within,
)
from spectrain_studies.frame.statistics import Array, log_slope, over_seeds, slope, told
from spectrain_studies.regime.config import Config
from spectrain_studies.regime.statistics import late_arms, late_difference, late_ratio, twin_norm
from spectrain_studies.regime.study import STUDY, settled
from spectrain_studies.regime.sweeps import BALANCE, BATCHES, DECAYS, DEFINITIONS, DIMENSIONS

APPROACHES = 0.5
"""SNR from which a parameter "approaches the signal-dominated regime", whose mark is 1."""


TWO_REGIMES = 5.0
"""SNR ratio by which the document knows two regimes."""


def _initial(results: Results, name: str) -> Array:
    return np.concatenate([result[name][0] for result in results])


def _decayed(decays: Results) -> Results:
    return Results(tuple(r for r in decays if r.case.value > 0), decays.problems)


def _near(config: Config, decays: Results) -> Results:
    """The run at the document's weight decay, or the one nearest to it."""
    nearest = min(
        (r.case.value for r in _decayed(decays)), key=lambda v: abs(v - config.weight_decay)
    )
    return decays.where(value=nearest)


@STUDY.claim(
    "fig2-regime-change-at-noise-scale",
    source="§3.2",
    statement="The batch size of the regime change is the one of the critical batch size framework",
    statistic="batch size at which the late SNR_W (whole tensor) crosses 1, over the gradient "
    "noise scale tr C/‖g‖² of W late at the smallest batch; geometric mean over seeds",
    criterion="within 1/2 and 2",
    needs=[BATCHES],
)
@settled("batches")
def regime_change(config: Config, batches: Results) -> Judgement:
    sizes = np.array(config.batches.values)
    snr = late_arms(batches, "weight_snr_whole_tensor")
    scale = late_arms(batches, "weight_noise_scale")[0]
    details = {"snr_w": snr.mean(1).tolist(), "noise_scale_w": float(scale.mean())}
    if (snr[-1] < 1).any() or (snr[0] > 1).any():
        return undecided("SNR_W does not cross 1 within the sweep for every seed", details=details)
    crossing = [np.interp(0.0, np.log(snr[:, seed]), np.log(sizes)) for seed in range(snr.shape[1])]
    ratio = np.array(crossing) - np.log(scale)
    details["batch_size"] = float(np.exp(np.mean(crossing)))
    judged = within(over_seeds(ratio), -np.log(2), np.log(2), details=details)
    return judged


@STUDY.claim(
    "fig2-norm-leaves-the-twin-at-noise-scale",
    source="§3.2, Figure 2",
    statement="Larger batches push W out of the equilibrium of noise and decay",
    statistic="|ln(late ‖W‖ / noise twin)| at the largest batch minus the same at the smallest",
    criterion="above 0",
    needs=[BATCHES],
)
@settled("batches")
def norm_leaves(config: Config, batches: Results) -> Judgement:
    twin = twin_norm(config.dimension**2, config.learning_rate, config.weight_decay)
    away = np.abs(np.log(late_arms(batches, "weight_norm") / twin))
    ratios = (late_arms(batches, "weight_norm") / twin).mean(1)
    details = dict(zip(map(str, config.batches.values), ratios.tolist(), strict=True))
    return above(over_seeds(away[-1] - away[0]), 0.0, details={"norm over twin": details})


@STUDY.claim(
    "fig3-decay-constrains-w",
    source="§3.3",
    statement="Weight decay constrains ‖W‖ strongly",
    statistic="exponent of late ‖W‖ in λ > 0 (noise alone: −1/2)",
    criterion="below −1/4",
    needs=[DECAYS],
)
@settled("decays")
def decay_constrains(config: Config, decays: Results) -> Judgement:
    kept = _decayed(decays)
    values = [result.case.value for result in kept]
    norms = late_arms(kept, "weight_norm")
    twins = [twin_norm(config.dimension**2, config.learning_rate, value) for value in values]
    ratios = norms.mean(1) / np.array(twins)
    details = {"norm over twin": dict(zip(map(str, values), ratios.tolist(), strict=True))}
    return below(log_slope(values, norms), -0.25, details=details)


@STUDY.claim(
    "fig3-weaker-on-gamma",
    source="§3.3, Figure 3",
    statement="Weight decay has a weaker relative effect on ‖γ‖ than on ‖W‖",
    statistic="|exponent of late ‖W‖ in λ| − |exponent of late ‖γ‖ in λ|, λ > 0, paired",
    criterion="above 0",
    needs=[DECAYS],
)
@settled("decays")
def weaker_on_gamma(config: Config, decays: Results) -> Judgement:
    kept = _decayed(decays)
    x = np.log([result.case.value for result in kept])
    x = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    exponents = [x @ np.log(late_arms(kept, f"{kind}_norm")) for kind in ("weight", "multiplier")]
    details = {
        "weight": told(over_seeds(exponents[0])),
        "multiplier": told(over_seeds(exponents[1])),
    }
    return above(over_seeds(np.abs(exponents[0]) - np.abs(exponents[1])), 0.0, details=details)


@STUDY.claim(
    "fig3-no-decay-both-grow",
    source="§3.3",
    statement="Without weight decay both parameters grow freely",
    statistic="ln(norm at the end / norm at half the horizon) at λ = 0, of W and of γ",
    criterion="above 0 for both",
    needs=[DECAYS],
)
@settled("decays")
def both_grow(config: Config, decays: Results) -> Judgement:
    free = decays.where(value=0.0).only()
    middle = len(free["steps"]) // 2
    parts = {
        kind: above(
            over_seeds(np.log(free[f"{kind}_norm"][-1, 0] / free[f"{kind}_norm"][middle, 0])), 0.0
        )
        for kind in ("weight", "multiplier")
    }
    return combined(parts, note=f"Horizon of {config.undecayed_steps:,} steps.")


@STUDY.claim(
    "balance-w",
    source="Velikanov et al. 2026, eq. (1), cited in §1",
    statement="At fixed ηλ the matrix norm is proportional to √(η/λ)",
    statistic="exponent of late ‖W‖ in √(η/λ)",
    criterion="within 0.9 and 1.1",
    needs=[BALANCE],
)
@settled("balance")
def balance_w(config: Config, balance: Results) -> Judgement:
    norms = late_arms(balance, "weight_norm")
    return within(log_slope(config.balance.values, norms), 0.9, 1.1)


@STUDY.claim(
    "balance-multiplier-frees-the-scale",
    source="Velikanov et al. 2026, cited in §1",
    statement="The multiplier frees the scale: ‖diag(γ)W‖ does not follow √(η/λ)",
    statistic="exponent of late ‖diag(γ)W‖ in √(η/λ) at fixed ηλ",
    criterion="within −0.1 and 0.1",
    needs=[BALANCE],
)
@settled("balance")
def balance_product(config: Config, balance: Results) -> Judgement:
    norms = late_arms(balance, "product_norm")
    gamma = log_slope(config.balance.values, late_arms(balance, "multiplier_norm"))
    return within(
        log_slope(config.balance.values, norms), -0.1, 0.1, details={"exponent of γ": told(gamma)}
    )


def _equation_3(definition: str, label: str) -> None:
    for kind, letter in (("weight", "W"), ("multiplier", "γ")):
        short = "w" if kind == "weight" else "gamma"

        @STUDY.claim(
            f"eq3-{short}-batch-{label}",
            source="§2.1, equation (3)",
            statement=f"SNR_{letter} ∝ √B ({label} SNR)",
            statistic=f"exponent of late SNR_{letter} in B",
            criterion="within 0.45 and 0.55",
            needs=[BATCHES],
        )
        @settled("batches")
        def batch(config: Config, batches: Results, kind: str = kind) -> Judgement:
            name = f"{kind}_{definition}"
            initial = log_slope(config.batches.values, _initial(batches, name))
            return within(
                log_slope(config.batches.values, late_arms(batches, name)),
                0.45,
                0.55,
                details={"at the same initial weights": told(initial)},
            )

        power = -2.0 if kind == "weight" else -1.0

        @STUDY.claim(
            f"eq3-{short}-dimension-{label}",
            source="§2.1, equation (3)",
            statement=f"SNR_{letter} ∝ d^{power:.0f} ({label} SNR)",
            statistic=f"exponent of late SNR_{letter} in d",
            criterion=f"within {power - 0.25} and {power + 0.25}",
            needs=[DIMENSIONS],
        )
        @settled("dimensions")
        def dimension(
            config: Config, dimensions: Results, kind: str = kind, power: float = power
        ) -> Judgement:
            name = f"{kind}_{definition}"
            initial = log_slope(config.dimensions.values, _initial(dimensions, name))
            return within(
                log_slope(config.dimensions.values, late_arms(dimensions, name)),
                power - 0.25,
                power + 0.25,
                details={"at the initial weights": told(initial)},
            )


def _batch_size(definition: str, label: str) -> None:
    @STUDY.claim(
        f"fig2-both-snr-grow-{label}",
        source="§3.2",
        statement=f"Increasing batch size increases both SNRs ({label} SNR)",
        statistic="exponents of late SNR_W and SNR_γ in B",
        criterion="above 0 for both",
        needs=[BATCHES],
    )
    @settled("batches")
    def both_grow(config: Config, batches: Results) -> Judgement:
        return combined(
            {
                kind: above(
                    log_slope(config.batches.values, late_arms(batches, f"{kind}_{definition}")),
                    0.0,
                )
                for kind in ("weight", "multiplier")
            }
        )

    @STUDY.claim(
        f"fig2-gamma-grows-faster-ratio-{label}",
        source="§3.2",
        statement=f"γ's SNR grows faster with batch size than W's, as a ratio ({label} SNR)",
        statistic="exponent of late SNR_γ/SNR_W in B",
        criterion="above 0",
        needs=[BATCHES],
    )
    @settled("batches")
    def ratio_grows(config: Config, batches: Results) -> Judgement:
        return above(_ratio_slope(config, batches, definition), 0.0)

    @STUDY.claim(
        f"fig2-gamma-grows-faster-difference-{label}",
        source="§3.2",
        statement=f"γ's SNR grows faster with batch size than W's, as a difference ({label} SNR)",
        statistic="slope of late SNR_γ − SNR_W in log₂ B",
        criterion="above 0",
        needs=[BATCHES],
    )
    @settled("batches")
    def difference_grows(config: Config, batches: Results) -> Judgement:
        return above(_difference_slope(config, batches, definition), 0.0)

    @STUDY.claim(
        f"s4-batch-reduces-separation-ratio-{label}",
        source="§4, prediction (2)",
        statement=f"Larger batches reduce the separation, as a ratio ({label} SNR)",
        statistic="exponent of late SNR_γ/SNR_W in B",
        criterion="below 0",
        needs=[BATCHES],
    )
    @settled("batches")
    def ratio_falls(config: Config, batches: Results) -> Judgement:
        return below(_ratio_slope(config, batches, definition), 0.0)

    @STUDY.claim(
        f"s4-batch-reduces-separation-difference-{label}",
        source="§4, prediction (2)",
        statement=f"Larger batches reduce the separation, as a difference ({label} SNR)",
        statistic="slope of late SNR_γ − SNR_W in log₂ B",
        criterion="below 0",
        needs=[BATCHES],
    )
    @settled("batches")
    def difference_falls(config: Config, batches: Results) -> Judgement:
        return below(_difference_slope(config, batches, definition), 0.0)

    @STUDY.claim(
        f"fig2-w-approaches-signal-at-256-{label}",
        source="§3.2, Figure 2",
        statement=f"At B = 256 even W approaches the signal-dominated regime ({label} SNR)",
        statistic="late SNR_W at B = 256, mean over seeds",
        criterion=f"above {APPROACHES}",
        needs=[BATCHES],
    )
    @settled("batches")
    def approaches(config: Config, batches: Results) -> Judgement:
        if 256 not in config.batches.values:
            return undecided("256 is not among the batch sizes")
        place = config.batches.values.index(256)
        return above(over_seeds(late_arms(batches, f"weight_{definition}")[place]), APPROACHES)


def _ratio_slope(config: Config, batches: Results, definition: str) -> Estimate:
    return log_slope(config.batches.values, late_ratio(batches, definition))


def _difference_slope(config: Config, batches: Results, definition: str) -> Estimate:
    return slope(np.log2(config.batches.values), late_difference(batches, definition))


def _decay(definition: str, label: str) -> None:
    @STUDY.claim(
        f"fig3-no-decay-no-separation-{label}",
        source="§3.3",
        statement=f"Without weight decay the regime separation is eliminated ({label} SNR)",
        statistic="(late SNR_γ/SNR_W at λ = 0, minus 1) over the same at the document's λ, of "
        "means over seeds",
        criterion="below 0.2",
        needs=[DECAYS],
    )
    @settled("decays")
    def eliminated(config: Config, decays: Results) -> Judgement:
        free = late_ratio(decays.where(value=0.0), definition)[0]
        held = late_ratio(_near(config, decays), definition)[0]
        details = {"ratio without": float(free.mean()), "ratio with": float(held.mean())}
        return below(over_seeds((free - 1) / (held.mean() - 1)), 0.2, details=details)

    @STUDY.claim(
        f"s4-decay-is-necessary-{label}",
        source="§4, prediction (3)",
        statement=f"Weight decay is necessary for the two-regime behaviour ({label} SNR)",
        statistic="late SNR_γ/SNR_W at λ = 0, mean over seeds",
        criterion="below 5, the ratio by which the document knows two regimes; untestable where it "
        "is below 5 with decay too",
        needs=[DECAYS],
    )
    @settled("decays")
    def necessary(config: Config, decays: Results) -> Judgement:
        free = late_ratio(decays.where(value=0.0), definition)[0]
        held = late_ratio(_near(config, decays), definition)[0]
        with_decay = over_seeds(held)
        details = {"ratio with decay": told(with_decay)}
        found = below(over_seeds(free), TWO_REGIMES, details=details)
        if with_decay.high is not None and with_decay.high < TWO_REGIMES:
            note = "With decay too the ratio is below 5: there are no two regimes to explain."
            return replace(found, verdict=Verdict.UNTESTABLE, note=note)
        return found


def _dimension(definition: str, label: str) -> None:
    def growth(config: Config, dimensions: Results) -> Judgement:
        ratio = log_slope(config.dimensions.values, late_ratio(dimensions, definition))
        means = late_ratio(dimensions, definition).mean(1)
        details = dict(zip(map(str, config.dimensions.values), means.tolist(), strict=True))
        return above(ratio, 0.0, details={"ratio by d": details})

    STUDY.claim(
        f"fig4-gap-grows-ratio-{label}",
        source="§3.4, Figure 4; §4, prediction (1)",
        statement=f"The SNR gap between W and γ grows with d, as a ratio ({label} SNR)",
        statistic="exponent of late SNR_γ/SNR_W in d",
        criterion="above 0",
        needs=[DIMENSIONS],
    )(settled("dimensions")(growth))

    @STUDY.claim(
        f"fig4-gap-grows-difference-{label}",
        source="§3.4, Figure 4; §4, prediction (1)",
        statement=f"The SNR gap between W and γ grows with d, as a difference ({label} SNR)",
        statistic="slope of late SNR_γ − SNR_W in log₂ d",
        criterion="above 0",
        needs=[DIMENSIONS],
    )
    @settled("dimensions")
    def difference(config: Config, dimensions: Results) -> Judgement:
        gap = late_difference(dimensions, definition)
        return above(slope(np.log2(config.dimensions.values), gap), 0.0)

    @STUDY.claim(
        f"fig4-ratio-linear-{label}",
        source="§3.4",
        statement=f"The SNR ratio increases roughly linearly with d ({label} SNR)",
        statistic="exponent of late SNR_γ/SNR_W in d",
        criterion="within 0.75 and 1.25",
        needs=[DIMENSIONS],
    )
    @settled("dimensions")
    def linear(config: Config, dimensions: Results) -> Judgement:
        return within(
            log_slope(config.dimensions.values, late_ratio(dimensions, definition)), 0.75, 1.25
        )


for _definition, _label in DEFINITIONS.items():
    for _claims in (_equation_3, _batch_size, _decay, _dimension):
        _claims(_definition, _label)
