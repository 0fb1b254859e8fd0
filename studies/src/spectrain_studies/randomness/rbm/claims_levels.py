"""Claims on the levels of the Gaussian machine: centre, widths, order, repulsion."""

from __future__ import annotations

import numpy as np

from spectrain.noise.estimate import Estimate, symmetric
from spectrain.rmt import BINDER, binder_cumulant
from spectrain_studies.frame import (
    Above,
    AllOf,
    Below,
    Differs,
    Measured,
    Near,
    OnEvery,
    Results,
)
from spectrain_studies.frame.statistics import bootstrap, quotient, weighted_slope
from spectrain_studies.randomness.config import Config
from spectrain_studies.randomness.rbm.experiment import REST, Machine, sweep_points
from spectrain_studies.randomness.rbm.planted import planted_rest
from spectrain_studies.randomness.statistics import (
    PAIRS,
    PERMILLE,
    Pair,
    base,
    finite_rate,
    mean_spacing,
    on_pairs,
    over_runs,
    pair_modes,
    scaled_distance,
    smallest,
    spacings,
    width,
)
from spectrain_studies.randomness.study import STUDY

REPULSION = "slide “Eigenvalue repulsion”"


for _name, _how, _statement, _printed in (
    (
        "centre-as-printed",
        "as printed",
        "The potential of a pair of eigenvalues x of WᵀW is centred at κ",
        True,
    ),
    ("centre-corrected", "corrected", "It is centred at μ² − κ (and λ = μ² − x at κ)", False),
):

    @STUDY.claim(
        _name,
        source=f"slide “Universal RMT predictions”, {_how}",
        statement=_statement,
        statistic="mean x of the pair of largest κ, at the least α/|B|, over that",
        criterion=Near(1.0, 0.02),
        needs=(REST,),
        planted=planted_rest(None, None, centre=-6.2, wrong_centre=0.0)
        if _printed
        else planted_rest(None, None, wrong_centre=-6.2),
    )
    def centre(config: Config, rest: Results, printed: bool = _printed) -> Estimate:
        mass, kappa = config.machine.mass_squared, pair_modes(config)[3]
        x = mass - smallest(rest)["levels"][..., list(PAIRS[3])]
        return over_runs(x.mean(-1)).scaled(1 / (kappa if printed else mass - kappa))


@STUDY.claim(
    "two-mode-fit",
    source="slide “Wigner semi-circle”",
    statement="Levels of a degenerate pair have the two-mode density",
    statistic="√n times the Kolmogorov distance of each of the first two pairs from its fit, at "
    "the least α/|B|",
    criterion=OnEvery("κ", Below(PERMILLE)),
    needs=(REST,),
)
def two_mode_fit(config: Config, rest: Results) -> dict[str, Measured]:
    result = smallest(rest)

    def gap(pair: Pair, kappa: float) -> Measured:
        levels = result["levels"][..., list(pair)]
        shuffled = levels[..., 0]  # one level of a pair, drawn by lot: both are not independent
        lot = np.random.default_rng(0).random(shuffled.shape) < 0.5
        drawn = np.where(lot, shuffled, levels[..., 1])
        return Measured(scaled_distance(drawn, width(result, pair)[0]), seeds=result.case.runs)

    return on_pairs(config, gap, first=2)


@STUDY.claim(
    "binder-of-pairs",
    source="slide “Wigner semi-circle”",
    statement="The Binder cumulant of a pair is −4/27, not 0",
    statistic="U₄ = ⟨x⁴⟩/3⟨x²⟩² − 1 of the first pair, at the least α/|B|",
    criterion=Near(round(BINDER, 3), 0.04),
    needs=(REST,),
)
def binder_pairs(config: Config, rest: Results) -> Estimate:
    levels = smallest(rest)["levels"][..., list(PAIRS[0])]
    value, error = binder_cumulant(levels.transpose(1, 0, 2).reshape(levels.shape[1], -1))
    return symmetric(value, error, replicas=levels.shape[1])


@STUDY.claim(
    "widths-agree",
    source="slide “Wigner semi-circle and surmise”",
    statement="σ from the spacing and σ from the density agree",
    statistic="⟨S⟩/√π over σ of the density, at the least α/|B|",
    criterion=OnEvery("κ", Near(1.0, 0.05)),
    needs=(REST,),
)
def widths_agree(config: Config, rest: Results) -> dict[str, Estimate]:
    result = smallest(rest)

    def agreement(pair: Pair, kappa: float) -> Estimate:
        law, error = width(result, pair)
        sigma = symmetric(law.sigma, error, replicas=result.case.runs)
        return quotient(mean_spacing(result, pair).scaled(np.pi**-0.5), sigma)

    return on_pairs(config, agreement)


@STUDY.claim(
    "width-from-theory",
    source="slide “Stationary distribution”",
    statement="σᵢ² = (α/|B|)(g̃ᵢ²/Ωᵢ), with g̃² and Ω of the machine 2(α/|B|)(μ² − κ)",
    statistic="σ² of the density over it, corrected for finite α and k, at the least α/|B|",
    criterion=OnEvery("κ", Near(1.0, 0.08)),
    needs=(REST,),
)
def width_theory(config: Config, rest: Results) -> dict[str, Estimate]:
    result, one = smallest(rest), config.machine

    def over_theory(pair: Pair, kappa: float) -> Estimate:
        law, error = width(result, pair)
        x = one.mass_squared - kappa
        theory = 2 * result.case.rate / result.case.batch * x
        theory *= finite_rate(result.case.rate, x, kappa, one.mass_squared, one.sweeps) ** 2
        return symmetric(
            law.sigma**2 / theory, 2 * law.sigma * error / theory, replicas=result.case.runs
        )

    return on_pairs(config, over_theory)


@STUDY.claim(
    "sorting-biases",
    source="slide “Wigner surmise” (“no ordering of eigenvalues by hand, induces bias!”)",
    statement="Taking neighbours in sorted order biases ⟨S⟩",
    statistic="⟨S⟩ of sorted neighbours over ⟨S⟩ of the two levels whose eigenvectors lie in the "
    "pair's eigenspace, minus 1, mean over pairs, at α = 0.1, |B| = 16",
    criterion=Differs(equal=0.02),
    needs=(REST,),
)
def sorting(config: Config, rest: Results) -> Measured:
    """With its sign: the largest of several sizes is above any limit by chance alone."""
    result = base(rest, config)
    rows = np.concatenate([result["levels"], result["mode"]], -1).transpose(1, 0, 2)
    sites = result["levels"].shape[-1]

    def bias(runs: np.ndarray, number: int) -> float:
        return _sorting_bias(runs[..., :sites], runs[..., sites:], number)

    gaps = {
        f"κ = {kappa:.3f}": bias(rows, number) for number, kappa in enumerate(pair_modes(config))
    }
    return Measured(
        bootstrap(
            lambda runs: float(np.mean([bias(runs, number) for number in range(len(PAIRS))])),
            rows,
            generator=np.random.default_rng(0),
        ),
        details=gaps,
        note="The authors' code sorts. A spacing has no sign: sorting matters only where a level "
        "of another mode comes between",
    )


def _sorting_bias(levels: np.ndarray, mode: np.ndarray, number: int) -> float:
    belongs = mode == number + 1  # mode 0 is the lowest, single one
    two = belongs.sum(-1) == 2
    low = np.where(belongs, levels, np.inf).min(-1)
    high = np.where(belongs, levels, -np.inf).max(-1)
    known = (high - low)[two].mean()
    return float(spacings(levels, PAIRS[number]).mean() / known - 1)


def _shifts(config: Config, rest: Results) -> tuple[dict[str, Estimate], dict[str, float]]:
    """Slopes of ⟨λ⟩ − κ in α/|B| by mode, and what the Coulomb term alone says.

    Of a pair the slope of its mean, in which its own repulsion cancels.
    """
    one = config.machine
    modes = Machine.of(config).field.modes.numpy()
    points = [rest.where(rate=r, batch=b).only() for r, b in sweep_points(config) if b >= 16]
    ratios = [p.case.rate / p.case.batch for p in points]
    x = one.mass_squared - modes
    slopes, coulomb = {}, {}
    for places in ((0,), *PAIRS, (len(modes) - 1,)):
        name, kappa = f"κ = {modes[places[0]]:.3f}", modes[places[0]]
        found = [over_runs(p["levels"][..., list(places)].mean(-1)) for p in points]
        means = [float(each.value or 0) - kappa for each in found]
        slopes[name] = weighted_slope(ratios, means, [float(each.error or 1) for each in found])
        a = x[places[0]]
        coulomb[name] = float(-2 * a * sum(1 / (a - b) for b in x if abs(a - b) > 1e-9))
    return slopes, coulomb


@STUDY.claim(
    "repulsion-shifts-levels",
    source=REPULSION,
    statement="Learned eigenvalues leave their targets in proportion to α/|B|: the lowest goes "
    "down, the highest up",
    statistic="slope of ⟨λ⟩ − κ against α/|B|, lowest and highest mode, |B| ≥ 16",
    criterion=AllOf({"lowest": Below(0), "highest": Above(0)}),
    needs=(REST,),
)
def repulsion(config: Config, rest: Results) -> dict[str, Estimate]:
    slopes, _ = _shifts(config, rest)
    every = list(slopes.values())
    return {"lowest": every[0], "highest": every[-1]}


@STUDY.claim(
    "repulsion-is-coulomb",
    source=REPULSION,
    statement="The shift is that of the Coulomb term, σᵢ² Σ 1/(xᵢ − xⱼ) over the other modes",
    statistic="slope of ⟨λ⟩ − κ against α/|B| over that of the Coulomb term, |B| ≥ 16",
    criterion=OnEvery("mode", Near(1.0, 0.25)),
    needs=(REST,),
)
def repulsion_coulomb(config: Config, rest: Results) -> dict[str, Measured]:
    slopes, coulomb = _shifts(config, rest)

    def over(name: str) -> Measured:
        measured, theory = slopes[name], coulomb[name]
        value, error = float(measured.value or 0), float(measured.error or 0)
        found = symmetric(value / theory, abs(error / theory), replicas=measured.replicas)
        return Measured(found, seeds=rest[0].case.runs, details={"Coulomb": theory})

    return {name: over(name) for name in slopes}
