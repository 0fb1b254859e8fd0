"""Claims on the laws and the general derivation: slides 8 to 25 of the document."""

from __future__ import annotations

import numpy as np
import torch
from scipy.integrate import quad
from scipy.stats import ks_2samp

from spectrain.noise.estimate import symmetric
from spectrain.rmt import (
    BINDER,
    MarchenkoPastur,
    TwoMode,
    WignerSemicircle,
    WignerSurmise,
    laguerre_eigenvalues,
)
from spectrain_studies.frame import Judgement, Results, above, below, combined, within
from spectrain_studies.randomness.config import Config
from spectrain_studies.randomness.laws import COVERAGE, DYSON, HEAD, SPIKES
from spectrain_studies.randomness.machine import NOISE
from spectrain_studies.randomness.statistics import (
    distance,
    log_slope,
    proportion,
    slope,
)
from spectrain_studies.randomness.study import STUDY


def _trivial(value: float, truth: float, tolerance: float = 1e-6) -> Judgement:
    """A number that has no sampling error beside what a formula says."""
    return within(value, truth - tolerance, truth + tolerance)


@STUDY.claim(
    "mp-initial-law",
    source="slide “Initialisation”",
    statement="The eigenvalues of WᵀW of a random W follow the Marchenko-Pastur law",
    statistic="Kolmogorov distance of 100 spectra of 400 × 100 matrices from the law",
    criterion="below 0.01",
)
def mp_initial(config: Config) -> Judgement:
    spectra = laguerre_eigenvalues(
        (400, 100), count=100, generator=torch.Generator().manual_seed(0)
    )
    return below(distance(spectra, MarchenkoPastur(0.25)), 0.01, seeds=100)


@STUDY.claim(
    "mp-bounded",
    source="slide “Initialisation”",
    statement="With σ² = 1/M the spectrum lies in [0, 4] for every r ≤ 1",
    statistic="largest upper edge over r in (0, 1]",
    criterion="at most 4",
)
def mp_bounded(config: Config) -> Judgement:
    edges = [MarchenkoPastur(r).edges[1] for r in np.linspace(0.01, 1, 100)]
    return below(max(edges), 4 + 1e-12)


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
    source="slide “Initialisation”",
    statement="P_MP = √((x₊ − x)(x − x₋))/(2πσ²Mrx) is normalised",
    statistic="its integral for 64 × 16 and σ² = 1/192",
    criterion="1 within 1e-6",
)
def mp_normalisation(config: Config) -> Judgement:
    return _trivial(_area(*HEAD, 1 / 192, HEAD[0] / 192), 1)


@STUDY.claim(
    "mp-area-as-printed",
    source="slide “Transformer: empirical analysis”, as printed",
    statement="P_MP(x; σ², A) = A√(…)/(2πσ²rx) has area A, σ² being the variance of the entries",
    statistic="its integral over A for 64 × 16 and σ² = 1/192",
    criterion="1 within 1e-6",
)
def mp_area_printed(config: Config) -> Judgement:
    return _trivial(_area(*HEAD, 1 / 192, 1 / 192), 1)


@STUDY.claim(
    "mp-area-corrected",
    source="slide “Transformer: empirical analysis”, corrected",
    statement="It has area A where σ² stands for M times the variance of the entries",
    statistic="the integral over A of MarchenkoPastur(r, Mσ², A)",
    criterion="1 within 1e-6",
)
def mp_area_corrected(config: Config) -> Judgement:
    law = MarchenkoPastur.of_entries(HEAD, 1 / 192)
    value, _ = quad(lambda x: float(law.density(x)), *law.edges)
    return _trivial(float(value), 1)


@STUDY.claim(
    "variance-falls-with-batch",
    source="slide “Stochastic weight matrix dynamics”",
    statement="The variance of an update is Var(δW)/|B|",
    statistic="exponent of Var(δW) against |B|, |B| from 4 to 64, at fixed W",
    criterion="−1 within 0.05",
    needs=(NOISE,),
)
def variance_batch(config: Config, noise: Results) -> Judgement:
    runs = noise[0].case.runs
    estimates = [symmetric(r["variance"], r["variance"] / runs**0.5, replicas=runs) for r in noise]
    found = log_slope([r.case.batch for r in noise], estimates)
    products = {str(r.case.batch): r["variance"] * r.case.batch for r in noise}
    return within(found, -1.05, -0.95, seeds=runs, details={"Var·|B| by |B|": products})


def _total_variance(noise: Results) -> float:
    """Var(δW_B)|B| at the largest |B| over that at the smallest."""
    first, last = noise[0], noise[-1]
    return float(last["variance"] * last.case.batch / (first["variance"] * first.case.batch))


@STUDY.claim(
    "update-as-printed",
    source="slide “Stochastic weight matrix dynamics”, as printed",
    statement="δW = δW_B + √(Var(δW)/|B|) η with δW_B the average over the batch",
    statistic="variance of an update over Var(δW)/|B|; the printed sum counts the noise of the "
    "batch twice",
    criterion="2 within 0.1",
    needs=(NOISE,),
)
def update_printed(config: Config, noise: Results) -> Judgement:
    return within(_total_variance(noise), 1.9, 2.1, seeds=noise[0].case.runs)


@STUDY.claim(
    "update-corrected",
    source="slide “Stochastic weight matrix dynamics”, corrected",
    statement="δW = ⟨δW⟩ + √(Var(δW)/|B|) η with the mean over all data",
    statistic="variance of an update over Var(δW)/|B|",
    criterion="1 within 0.1",
    needs=(NOISE,),
)
def update_corrected(config: Config, noise: Results) -> Judgement:
    return within(_total_variance(noise), 0.9, 1.1, seeds=noise[0].case.runs)


def _amplitude_exponent(noise: Results) -> tuple[float, int]:
    """Exponent of g̃ = std(δxᵢ)/√2 against Var(δX)ᵢᵢ over |B|, modes that are not degenerate."""
    amplitude, variance = [], []
    for result in noise:
        simple = np.asarray(result["simple"])
        amplitude += np.sqrt(result["levels"] / 2).tolist()
        variance += result["diagonal"][simple].tolist()
    found = slope(np.log(variance).tolist(), np.log(amplitude).tolist(), [0.01] * len(variance))
    return float(found.value or 0), noise[0].case.runs


@STUDY.claim(
    "amplitude-as-printed",
    source="slide “Back to weight matrix dynamics”, as printed",
    statement="The amplitude g̃ᵢ of an eigenvalue's noise goes as Var(δL/δW)ᵢᵢ",
    statistic="exponent of g̃ᵢ against the variance of the diagonal element, over modes and |B|",
    criterion="1 within 0.1",
    needs=(NOISE,),
)
def amplitude_printed(config: Config, noise: Results) -> Judgement:
    value, runs = _amplitude_exponent(noise)
    return within(value, 0.9, 1.1, seeds=runs)


@STUDY.claim(
    "amplitude-corrected",
    source="slide “Back to weight matrix dynamics”, corrected",
    statement="g̃ᵢ² goes as the variance (√Aᵢᵢ = √2 gᵢ)",
    statistic="exponent of g̃ᵢ against the variance of the diagonal element, over modes and |B|",
    criterion="1/2 within 0.05",
    needs=(NOISE,),
)
def amplitude_corrected(config: Config, noise: Results) -> Judgement:
    value, runs = _amplitude_exponent(noise)
    return within(value, 0.45, 0.55, seeds=runs)


@STUDY.claim(
    "dyson-eigenvalues",
    source="slide “Dyson Brownian motion”",
    statement="Eigenvalues of dX = K dt + √A η follow dxᵢ = Kᵢdt + Σgᵢ²/(xᵢ − xⱼ)dt + √2gᵢη",
    statistic="largest Kolmogorov distance, over times and levels, between levels of evolved 4 × 4 "
    "matrices and evolved levels",
    criterion="below 1.95/√(n/2), the 0.1 % point of the two-sample test",
    needs=(DYSON,),
)
def dyson_eigenvalues(config: Config, dyson: Results) -> Judgement:
    result = dyson.only()
    pairs = [
        float(ks_2samp(result["matrices"][t, :, i], result["levels"][t, :, i]).statistic)
        for t in range(len(result["levels"]))
        for i in range(result.case.size)
    ]
    count = result.case.levels
    return below(max(pairs), 1.95 / (count / 2) ** 0.5, seeds=count)


@STUDY.claim(
    "coulomb-stationary",
    source="slide “Dyson Brownian motion, stochastic Coulomb gas”",
    statement="The stationary law is ∏|xᵢ − xⱼ| exp(−ΣVᵢ/gᵢ²)/Z",
    statistic="largest Kolmogorov distance, over levels, between evolved levels at rest and an "
    "exact sampler of the gas",
    criterion="below 1.95/√(n/2), the 0.1 % point of the two-sample test",
    needs=(DYSON,),
)
def coulomb_stationary(config: Config, dyson: Results) -> Judgement:
    result = dyson.only()
    found = max(
        float(ks_2samp(result["levels"][-1, :, i], result["gas"][:, i]).statistic)
        for i in range(result.case.size)
    )
    count = result.case.levels
    return below(found, 1.95 / (count / 2) ** 0.5, seeds=count)


@STUDY.claim(
    "surmise-normalised",
    source="slide “Universal RMT predictions”",
    statement="P(S) = S/2σ² exp(−S²/4σ²) is normalised and has mean √π σ",
    statistic="integral and mean at σ = 0.3",
    criterion="1 and √π σ within 1e-6",
)
def surmise(config: Config) -> Judgement:
    sigma = 0.3

    def density(s: float) -> float:
        return float(s / (2 * sigma**2) * np.exp(-(s**2) / (4 * sigma**2)))

    total, _ = quad(density, 0, np.inf)
    mean, _ = quad(lambda s: s * density(s), 0, np.inf)
    return combined(
        {
            "integral": _trivial(float(total), 1),
            "mean": _trivial(float(mean), float(np.sqrt(np.pi) * sigma)),
        }
    )


@STUDY.claim(
    "surmise-universal",
    source="slide “Wigner surmise”",
    statement="In s = S/⟨S⟩ it is (π/2) s exp(−πs²/4)",
    statistic="largest difference from the density of the surmise of mean 1, on [0, 5]",
    criterion="below 1e-12",
)
def surmise_universal(config: Config) -> Judgement:
    s = np.linspace(0, 5, 501)
    gap = np.abs(np.pi / 2 * s * np.exp(-np.pi * s**2 / 4) - WignerSurmise().density(s)).max()
    return below(float(gap), 1e-12)


@STUDY.claim(
    "two-mode-density",
    source="slide “Wigner semi-circle”",
    statement="The printed density is that of one of two levels of the gas with n = 2",
    statistic="Kolmogorov distance of its integral from the closed form, and its normalisation",
    criterion="distance below 1e-6 and 1 within 1e-6",
)
def two_mode_density(config: Config) -> Judgement:
    law = TwoMode(0.0, 1.0)
    x = np.linspace(-6, 6, 4001)
    steps = np.diff(x) * (law.density(x)[1:] + law.density(x)[:-1]) / 2
    gap = np.abs(np.cumsum(steps) - law.distribution(x[1:])).max()
    marginal = [
        quad(lambda y, a=a: abs(a - y) * np.exp(-(a * a + y * y) / 2), -12, 12)[0] for a in x[::400]
    ]
    shape = np.array(marginal) / law.density(x[::400])
    return combined(
        {
            "distribution": below(float(gap), 1e-5),
            "integral": _trivial(float(steps.sum()), 1),
            "marginal of the gas": below(float(np.ptp(shape) / shape.mean()), 1e-6),
        }
    )


@STUDY.claim(
    "semicircle-as-named",
    source="slide “Wigner semi-circle”, as named",
    statement="The density of two modes is Wigner's semicircle",
    statistic="Kolmogorov distance from the semicircle of equal variance",
    criterion="below 0.01",
)
def semicircle(config: Config) -> Judgement:
    law, other = TwoMode(0.0, 1.0), WignerSemicircle(variance=1.5)
    x = np.linspace(-6, 6, 4001)
    gap = np.abs(law.distribution(x) - other.distribution(x)).max()
    return below(
        float(gap), 0.01, note="Its Binder cumulant −4/27 is not the semicircle's −1/3 either."
    )


def _binder(sign: int) -> float:
    law = TwoMode(0.0, 1.0)
    return sign * (law.moment(4) / (3 * law.moment(2) ** 2) - 1)


@STUDY.claim(
    "binder-as-usual",
    source="slide “Wigner semi-circle”, U₄ in its usual definition",
    statement="U₄ = 1 − ⟨x⁴⟩/3⟨x²⟩² is −4/27 for the two-mode density",
    statistic="U₄ from the exact moments",
    criterion="−4/27 within 1e-9",
)
def binder_usual(config: Config) -> Judgement:
    return _trivial(_binder(-1), BINDER, 1e-9)


@STUDY.claim(
    "binder-with-sign",
    source="slide “Wigner semi-circle”, U₄ with the sign that the value asks for",
    statement="⟨x⁴⟩/3⟨x²⟩² − 1 is −4/27 for the two-mode density",
    statistic="it, from the exact moments",
    criterion="−4/27 within 1e-9",
)
def binder_sign(config: Config) -> Judgement:
    return _trivial(_binder(1), BINDER, 1e-9)


@STUDY.claim(
    "false-spikes",
    source="this study",
    statement="At level 1 %, the count of spikes is wrong in one random matrix of a hundred",
    statistic="fraction of pure random matrices in which a spike is counted, over shapes",
    criterion="between 0.3 % and 1.7 % (the estimate itself)",
    needs=(SPIKES,),
)
def false_spikes(config: Config, spikes: Results) -> Judgement:
    parts = {}
    for result in spikes:
        found = proportion(result["false"], result.case.matrices)
        parts["×".join(map(str, result.case.shape))] = within(
            float(found.value or 0),
            0.003,
            0.017,
            seeds=result.case.matrices,
            details={"low": found.low, "high": found.high},
        )
    return combined(parts)


@STUDY.claim(
    "spike-power",
    source="this study",
    statement="A planted singular value that comes out 5 % above the edge is found",
    statistic="fraction found of those that come out above 1.05 edges, over shapes",
    criterion="above 95 % (lower end of the 90 % interval)",
    needs=(SPIKES,),
)
def spike_power(config: Config, spikes: Results) -> Judgement:
    parts = {}
    for result in spikes:
        name = "×".join(map(str, result.case.shape))
        found = proportion(result["seen"], max(result["came_out"], 1))
        planted = proportion(result["found"], result.case.planted).value
        parts[name] = above(found, 0.95, details={"of all that were planted": planted})
    return combined(
        parts,
        note="Edges of small matrices fluctuate by more than 5 %: at 64 × 16 no test at 1 % can "
        "tell such a value from noise.",
    )


@STUDY.claim(
    "fit-coverage",
    source="this study",
    statement="90 % intervals of A and σ² hold the truth",
    statistic="fraction of sampled matrices whose interval holds it: random bulk, with and without "
    "a planted heavy tail",
    criterion="between 85 % and 95 % (the estimate itself)",
    needs=(COVERAGE,),
)
def fit_coverage(config: Config, coverage: Results) -> Judgement:
    parts = {}
    for result in coverage:
        name = f"{result.case.shape[0]}×{result.case.shape[1]}, tail {result.case.tail:.1%}"
        for parameter in ("area", "variance"):
            found = proportion(result[parameter], result.case.spectra)
            parts[f"{parameter}, {name}"] = within(
                float(found.value or 0),
                0.85,
                0.95,
                seeds=result.case.spectra,
                details={"low": found.low, "high": found.high},
            )
    return combined(parts)
