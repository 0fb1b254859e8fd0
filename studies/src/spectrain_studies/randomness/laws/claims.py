"""Claims on the laws: Marchenko and Pastur, Dyson, the surmise, two modes, spikes and fits."""

from __future__ import annotations

import numpy as np
import torch
from scipy.integrate import quad
from scipy.stats import ks_2samp

from spectrain.noise.estimate import Estimate
from spectrain.rmt import (
    BINDER,
    MarchenkoPastur,
    RBMMode,
    TwoMode,
    WignerSemicircle,
    WignerSurmise,
    laguerre_eigenvalues,
)
from spectrain_studies.frame import (
    Above,
    AllOf,
    Below,
    Measured,
    Near,
    OnEvery,
    Result,
    Results,
    Within,
    near,
    planted,
)
from spectrain_studies.frame.statistics import Array, distance
from spectrain_studies.randomness.config import Config
from spectrain_studies.randomness.laws.experiment import (
    COVERAGE,
    DYSON,
    HEAD,
    SPIKES,
)
from spectrain_studies.randomness.statistics import PERMILLE, counted
from spectrain_studies.randomness.study import STUDY

INITIAL = "slide “Initialisation: Marchenko-Pastur distribution”"
EMPIRICAL = "slide “Transformer: empirical analysis”"
SEMICIRCLE = "slide “Wigner semi-circle”"
ONE = Near(1.0, 1e-6)


@STUDY.claim(
    "mp-initial-law",
    source=INITIAL,
    statement="The eigenvalues of WᵀW of a random W follow the Marchenko-Pastur law",
    statistic="Kolmogorov distance of 100 spectra of 400 × 100 matrices from the law",
    criterion=Below(0.01),
)
def mp_initial(config: Config) -> Measured:
    spectra = laguerre_eigenvalues(
        (400, 100), count=100, generator=torch.Generator().manual_seed(0)
    )
    return Measured(distance(spectra, MarchenkoPastur(0.25).distribution), seeds=100)


@STUDY.claim(
    "mp-aspect-ratios",
    source=INITIAL,
    statement="They do at every aspect ratio r ≤ 1",
    statistic="Kolmogorov distance of 100 spectra from the law with its r, N = 100",
    criterion=OnEvery("r", Below(0.01)),
)
def mp_aspect_ratios(config: Config) -> dict[str, Measured]:
    found = {}
    for seed, rows in enumerate((100, 125, 200, 800, 3200)):
        generator = torch.Generator().manual_seed(seed)
        spectra = laguerre_eigenvalues((rows, 100), count=100, generator=generator)
        law = MarchenkoPastur(100 / rows)
        found[f"{100 / rows:.3g}"] = Measured(distance(spectra, law.distribution), seeds=100)
    return found


@STUDY.claim(
    "mp-bounded",
    source=INITIAL,
    statement="With σ² = 1/M the spectrum lies in [0, 4] for every r ≤ 1",
    statistic="largest upper edge over r in (0, 1]",
    criterion=Below(4 + 1e-12),
)
def mp_bounded(config: Config) -> float:
    return max(MarchenkoPastur(r).edges[1] for r in np.linspace(0.01, 1, 100))


def _area(rows: int, columns: int, variance: float, prefactor: float) -> float:
    """∫ √((x₊ − x)(x − x₋))/(2π · prefactor · r x), x± = Mσ²(1 ± √r)²."""
    r = columns / rows
    low, high = rows * variance * (1 - r**0.5) ** 2, rows * variance * (1 + r**0.5) ** 2
    value, _ = quad(
        lambda x: np.sqrt((high - x) * (x - low)) / (2 * np.pi * prefactor * r * x), low, high
    )
    return float(value)


@STUDY.claim(
    "mp-normalisation",
    source=INITIAL,
    statement="P_MP = √((x₊ − x)(x − x₋))/(2πσ²Mrx) is normalised",
    statistic="its integral for 64 × 16 and σ² = 1/192",
    criterion=ONE,
)
def mp_normalisation(config: Config) -> float:
    return _area(*HEAD, 1 / 192, HEAD[0] / 192)


@STUDY.claim(
    "mp-area-as-printed",
    source=f"{EMPIRICAL}, as printed",
    statement="P_MP(x; σ², A) = A√(…)/(2πσ²rx) has area A, σ² being the variance of the entries",
    statistic="its integral over A for 64 × 16 and σ² = 1/192",
    criterion=ONE,
)
def mp_area_printed(config: Config) -> float:
    return _area(*HEAD, 1 / 192, 1 / 192)


@STUDY.claim(
    "mp-area-corrected",
    source=f"{EMPIRICAL}, corrected",
    statement="It has area A where σ² stands for M times the variance of the entries",
    statistic="the integral over A of MarchenkoPastur(r, Mσ², A)",
    criterion=ONE,
)
def mp_area_corrected(config: Config) -> float:
    law = MarchenkoPastur.of_entries(HEAD, 1 / 192)
    return float(quad(lambda x: float(law.density(x)), *law.edges)[0])


@STUDY.claim(
    "coulomb-unequal",
    source="slide “Dyson Brownian motion, stochastic Coulomb gas”",
    statement="∏|xᵢ − xⱼ| exp(−ΣVᵢ/gᵢ²)/Z is stationary with an amplitude gᵢ for each eigenvalue",
    statistic="largest current |gᵢ² ∂ᵢ ln P − Kᵢ − Σ gᵢ²/(xᵢ − xⱼ)| of the machine's V, ∂ᵢ by "
    "central differences, 100 sets of 8 levels, gᵢ² from 0.1 to 10",
    criterion=Below(1e-6),
)
def coulomb_unequal(config: Config) -> float:
    """Were one amplitude in all exponents the law, currents would be of the size of the drift."""
    mode, step = RBMMode(config.mode.mass_squared, config.mode.target), 1e-5
    g_squared, size = np.logspace(-1, 1, 8), 8
    free = torch.rand(100, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    levels = (np.arange(size) + 0.25 + 0.5 * free.numpy()) * 0.95 * config.mode.mass_squared / size

    def logarithm(x: Array) -> Array:
        gaps = np.abs(x[:, :, None] - x[:, None, :]) + np.eye(size)
        return np.log(gaps).sum((1, 2)) / 2 - (mode.value(x) / g_squared).sum(1)

    currents = []
    for i in range(size):
        away = step * np.eye(size)[i]
        slope = (logarithm(levels + away) - logarithm(levels - away)) / (2 * step)
        others = np.delete(levels, i, axis=1)
        repulsion = (1 / (levels[:, i : i + 1] - others)).sum(1)
        drift = mode.drift(levels[:, i])
        currents.append(np.abs(g_squared[i] * (slope - repulsion) - drift).max())
    return float(max(currents))


def _apart(dyson: Result, name: str, time: int) -> list[float]:
    """√(n/2) times the Kolmogorov distance of each level from another sample's at a time."""
    other = dyson[name] if name == "gas" else dyson[name][time]
    count = dyson.case.levels
    return [
        (count / 2) ** 0.5
        * float(ks_2samp(other[:, level], dyson["levels"][time, :, level]).statistic)
        for level in range(dyson.case.size)
    ]


@STUDY.claim(
    "dyson-eigenvalues",
    source="slide “Stochastic matrix dynamics: Dyson Brownian motion and the stochastic Coulomb "
    "gas”",
    statement="Eigenvalues of dX = K dt + √A η follow dxᵢ = Kᵢdt + Σgᵢ²/(xᵢ − xⱼ)dt + √2gᵢη",
    statistic="√(n/2) times the largest Kolmogorov distance, over times and levels, between levels "
    "of evolved 4 × 4 matrices and evolved levels",
    criterion=Below(PERMILLE),
    needs=(DYSON,),
)
def dyson_eigenvalues(config: Config, dyson: Results) -> Measured:
    result = dyson.only()
    found = [
        gap for time in range(len(result["levels"])) for gap in _apart(result, "matrices", time)
    ]
    return Measured(max(found), seeds=result.case.levels)


@STUDY.claim(
    "coulomb-stationary",
    source="slide “Dyson Brownian motion, stochastic Coulomb gas”",
    statement="The stationary law is ∏|xᵢ − xⱼ| exp(−ΣVᵢ/gᵢ²)/Z",
    statistic="√(n/2) times the largest Kolmogorov distance, over levels, between evolved levels "
    "at rest and an exact sampler of the gas",
    criterion=Below(PERMILLE),
    needs=(DYSON,),
)
def coulomb_stationary(config: Config, dyson: Results) -> Measured:
    result = dyson.only()
    return Measured(max(_apart(result, "gas", -1)), seeds=result.case.levels)


@STUDY.claim(
    "surmise-normalised",
    source="slide “Universal RMT predictions”",
    statement="P(S) = S/2σ² exp(−S²/4σ²) is normalised and has mean √π σ",
    statistic="integral, and mean over √π σ, at σ = 0.3",
    criterion=AllOf({"integral": ONE, "mean": ONE}),
)
def surmise(config: Config) -> dict[str, float]:
    sigma = 0.3

    def density(s: float) -> float:
        return float(s / (2 * sigma**2) * np.exp(-(s**2) / (4 * sigma**2)))

    total, _ = quad(density, 0, np.inf)
    mean, _ = quad(lambda s: s * density(s), 0, np.inf)
    return {"integral": float(total), "mean": float(mean / np.sqrt(np.pi) / sigma)}


@STUDY.claim(
    "surmise-universal",
    source="slide “Wigner surmise”",
    statement="In s = S/⟨S⟩ it is (π/2) s exp(−πs²/4)",
    statistic="largest difference from the density of the surmise of mean 1, on [0, 5]",
    criterion=Below(1e-12),
)
def surmise_universal(config: Config) -> float:
    s = np.linspace(0, 5, 501)
    printed = np.pi / 2 * s * np.exp(-np.pi * s**2 / 4)
    return float(np.abs(printed - WignerSurmise().density(s)).max())


@STUDY.claim(
    "two-mode-density",
    source=SEMICIRCLE,
    statement="The printed density is that of one of two levels of the gas with n = 2",
    statistic="Kolmogorov distance of its integral from the closed form, its normalisation, and "
    "the relative range of its quotient with the marginal of the gas",
    criterion=AllOf(
        {"distribution": Below(1e-6), "integral": ONE, "marginal of the gas": Below(1e-6)}
    ),
)
def two_mode_density(config: Config) -> dict[str, float]:
    law = TwoMode(0.0, 1.0)
    x = np.linspace(-6, 6, 4001)
    steps = np.diff(x) * (law.density(x)[1:] + law.density(x)[:-1]) / 2
    marginal = [
        quad(lambda y, a=a: abs(a - y) * np.exp(-(a * a + y * y) / 2), -12, 12)[0] for a in x[::400]
    ]
    shape = np.array(marginal) / law.density(x[::400])
    return {
        "distribution": float(np.abs(np.cumsum(steps) - law.distribution(x[1:])).max()),
        "integral": float(steps.sum()),
        "marginal of the gas": float(np.ptp(shape) / shape.mean()),
    }


@STUDY.claim(
    "semicircle-as-named",
    source=f"{SEMICIRCLE}, as named",
    statement="The density of two modes is Wigner's semicircle",
    statistic="Kolmogorov distance from the semicircle of equal variance",
    criterion=Below(0.01),
)
def semicircle(config: Config) -> Measured:
    law, other = TwoMode(0.0, 1.0), WignerSemicircle(variance=1.5)
    x = np.linspace(-6, 6, 4001)
    return Measured(
        float(np.abs(law.distribution(x) - other.distribution(x)).max()),
        note="Its Binder cumulant −4/27 is not the semicircle's −1/3 either",
    )


for _name, _source, _formula, _sign in (
    ("binder-as-usual", "U₄ in its usual definition", "U₄ = 1 − ⟨x⁴⟩/3⟨x²⟩²", -1),
    ("binder-with-sign", "U₄ with the sign that the value asks for", "⟨x⁴⟩/3⟨x²⟩² − 1", 1),
):

    @STUDY.claim(
        _name,
        source=f"{SEMICIRCLE}, {_source}",
        statement=f"{_formula} is −4/27 for the two-mode density",
        statistic="it, over −4/27, from the exact moments",
        criterion=Near(1.0, 1e-9),
    )
    def binder(config: Config, sign: int = _sign) -> float:
        law = TwoMode(0.0, 1.0)
        return float(sign * (law.moment(4) / (3 * law.moment(2) ** 2) - 1) / BINDER)


def _shape(result: Result) -> str:
    return "×".join(map(str, result.case.shape))


@STUDY.claim(
    "false-spikes",
    source="this study",
    statement="At level 1 %, the count of spikes is wrong in one random matrix of a hundred",
    statistic="fraction of pure random matrices in which a spike is counted",
    criterion=OnEvery("shape", Within(0.003, 0.017)),
    needs=(SPIKES,),
    planted=planted(
        SPIKES,
        near(false=lambda case: round(0.01 * case.matrices)),
        near(false=lambda case: round(0.05 * case.matrices)),
    ),
)
def false_spikes(config: Config, spikes: Results) -> dict[str, Estimate]:
    return {_shape(r): counted(r["false"], r.case.matrices) for r in spikes}


@STUDY.claim(
    "spike-power",
    source="this study",
    statement="A planted singular value that comes out 5 % above the edge is found",
    statistic="fraction found of those that come out above 1.05 edges",
    criterion=OnEvery("shape", Above(0.95)),
    needs=(SPIKES,),
    planted=planted(
        SPIKES, near(came_out=200, seen=200, found=200), near(came_out=200, seen=150, found=150)
    ),
)
def spike_power(config: Config, spikes: Results) -> dict[str, Measured]:
    """Edges of small matrices fluctuate by more than 5 %, which no test at 1 % can undo."""

    def of(result: Result) -> Measured:
        planted = counted(result["found"], result.case.planted).value
        found = counted(result["seen"], max(result["came_out"], 1))
        return Measured(found, details={"of all that were planted": planted})

    return {_shape(result): of(result) for result in spikes}


@STUDY.claim(
    "fit-coverage",
    source="this study",
    statement="90 % intervals of A and σ² hold the truth",
    statistic="fraction of sampled matrices whose interval holds it: random bulk, with and without "
    "a planted heavy tail",
    criterion=OnEvery("parameter and kind of matrix", Within(0.85, 0.95)),
    needs=(COVERAGE,),
)
def fit_coverage(config: Config, coverage: Results) -> dict[str, Estimate]:
    return {
        f"{parameter}, {_shape(r)}, tail {r.case.tail:.1%}": counted(r[parameter], r.case.spectra)
        for r in coverage
        for parameter in ("area", "variance")
    }
